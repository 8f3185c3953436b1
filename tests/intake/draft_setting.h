// Drafts without their server, on a store, at a time of the test's choice.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/intake/drafts/draft_store.h"
#include "tests/intake/poll.h"

namespace peiling::intake {

inline constexpr char kTextQuestion[] = "  - {code: Q10, type: text, title: Toelichting}\n";

// kWaveYaml with times, a grace of two hours, and a question for any text.
inline std::string ScheduledWaveYaml() {
  return Replaced(kWaveYaml, "opened: 2022-09-05", "opens: 2026-03-24 09:00\ncloses: 2026-04-24 17:00\ngrace: 2h") + kTextQuestion;
}
inline absl::Time Local(const std::string& minute) { return *calendar::ParseLocalMinute(minute); }

inline const std::string& DraftName() {
  static const std::string name = std::string(kWaveName) + "/responses/GM0228";
  return name;
}
inline std::string NameOfDraft(const std::string& id) { return std::string(kWaveName) + "/responses/" + id; }

inline survey::v1::Answer Text(const std::string& question, const std::string& text) {
  survey::v1::Answer answer;
  answer.set_question(question);
  answer.set_text(text);
  return answer;
}
inline survey::v1::Answer Choice(const std::string& question, const std::vector<std::string>& codes) {
  survey::v1::Answer answer;
  answer.set_question(question);
  answer.mutable_selection()->mutable_codes()->Assign(codes.begin(), codes.end());
  return answer;
}
inline survey::v1::Answer Number(const std::string& question, double number) {
  survey::v1::Answer answer;
  answer.set_question(question);
  answer.set_number(number);
  return answer;
}
inline survey::v1::Answer Nothing(const std::string& question) {
  survey::v1::Answer answer;
  answer.set_question(question);
  return answer;
}
inline v1::AnswerChange For(const std::string& municipality, survey::v1::Answer answer) {
  v1::AnswerChange change;
  change.set_municipality(municipality);
  *change.mutable_answer() = std::move(answer);
  return change;
}

// The answers as "Q3=Ede Q4=wijk,stad Q6=3".
inline std::string Say(const survey::v1::Answer& answer) {
  switch (answer.value_case()) {
    case survey::v1::Answer::kText:
      return answer.question() + "=" + answer.text();
    case survey::v1::Answer::kNumber:
      return answer.question() + "=" + absl::StrCat(answer.number());
    case survey::v1::Answer::kSelection: {
      std::string said;
      for (const std::string& code : answer.selection().codes()) said += (said.empty() ? "" : ",") + code;
      return answer.question() + "=" + said;
    }
    default:
      return answer.question() + "=";
  }
}
template <typename Answers>
std::string SayAll(const Answers& answers) {
  std::string said;
  for (const auto& answer : answers) said += (said.empty() ? "" : " ") + Say(answer);
  return said;
}

// Intake's rooms with drafts in them.
struct Desk {
  explicit Desk(storage::Store& store, std::chrono::seconds feed_interval = std::chrono::hours(1), DraftLimits limits = {})
      : rooms(store, {}, [this] { return now(); }),
        drafts({store, *rooms.vault, rooms.catalog, rooms.responses, rooms.validator}, feed_interval, limits) {}

  static std::string NewRequestId() {
    static std::atomic<int> last = 0;
    return "request-" + std::to_string(++last);
  }

  absl::StatusOr<v1::Draft> Create(const std::string& id = "GM0228", const std::vector<std::string>& municipalities = {"GM0228"},
                                   const DraftWriter& writer = {}, const std::string& request_id = NewRequestId()) {
    v1::CreateDraftRequest request;
    request.set_parent(kWaveName);
    request.set_response_id(id);
    request.mutable_municipalities()->Assign(municipalities.begin(), municipalities.end());
    request.set_request_id(request_id);
    return drafts.Create(request, writer);
  }
  static v1::SaveDraftRequest Saving(const std::string& etag, const std::vector<v1::AnswerChange>& changes,
                                     const std::string& name = DraftName()) {
    v1::SaveDraftRequest request;
    request.set_name(name);
    request.set_etag(etag);
    request.mutable_changes()->Assign(changes.begin(), changes.end());
    request.set_request_id(NewRequestId());
    return request;
  }
  absl::StatusOr<v1::SaveDraftResponse> Save(const std::string& etag, const std::vector<survey::v1::Answer>& answers,
                                             const DraftWriter& writer = {}) {
    std::vector<v1::AnswerChange> changes;
    for (const auto& answer : answers) changes.push_back(For("", answer));
    return drafts.Save(Saving(etag, changes), writer);
  }
  v1::Draft Get(const DraftWriter& writer = {}, const std::string& name = DraftName(), bool validate = false) {
    v1::GetDraftRequest request;
    request.set_name(name);
    request.set_validate(validate);
    return Must(drafts.Get(request, writer, Contexts()));
  }
  static MakeContext Contexts() {
    return [] { return std::make_unique<grpc::ClientContext>(); };
  }
  absl::StatusOr<v1::SubmitDraftResponse> Submit(const std::string& etag = "", const DraftWriter& writer = {},
                                                 const std::string& request_id = NewRequestId()) {
    v1::SubmitDraftRequest request;
    request.set_name(DraftName());
    request.set_etag(etag);
    request.set_request_id(request_id);
    return drafts.Submit(request, writer, Contexts());
  }
  absl::StatusOr<v1::Draft> Reopen(const DraftWriter& writer = {}, const std::string& request_id = NewRequestId()) {
    v1::ReopenDraftRequest request;
    request.set_name(DraftName());
    request.set_request_id(request_id);
    return drafts.Reopen(request, writer);
  }
  absl::StatusOr<v1::WithdrawResponseResponse> Withdraw(const DraftWriter& writer = {}, const std::string& name = DraftName(),
                                                        const std::string& etag = "") {
    v1::WithdrawResponseRequest request;
    request.set_name(name);
    request.set_reason("op verzoek");
    request.set_etag(etag);
    request.set_request_id(NewRequestId());
    return drafts.Withdraw(request, writer);
  }
  std::vector<v1::DraftChange> Changes(const std::string& name = DraftName(), int page_size = 1000) {
    std::vector<v1::DraftChange> changes;
    v1::ListDraftChangesRequest request;
    request.set_parent(name);
    request.set_page_size(page_size);
    do {
      status::BadRequest bad;
      const auto page = Must(drafts.ListChanges(request, paging::ReadPage(request, bad), {}));
      EXPECT_TRUE(bad.empty());
      changes.insert(changes.end(), page.changes().begin(), page.changes().end());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return changes;
  }
  // What the feed has of a response last.
  v1::Response InFeed(const std::string& name = DraftName()) {
    v1::SubmissionEvent event;
    v1::Response last;
    for (const std::string& bytes : rooms.Feed()) {
      EXPECT_TRUE(event.ParseFromString(bytes));
      if (event.response().name() == name) last = event.response();
    }
    return last;
  }

  absl::Time now() const { return absl::FromUnixSeconds(seconds); }
  void SetClock(const std::string& minute) { seconds = absl::ToUnixSeconds(Local(minute)); }

  std::atomic<int64_t> seconds = absl::ToUnixSeconds(Local("2026-03-24 12:00"));
  Rooms rooms;
  DraftStore drafts;
};

// Runs `work` in so many threads.
inline void InThreads(int threads, const std::function<void(int)>& work) {
  std::vector<std::thread> running;
  for (int i = 0; i < threads; ++i) running.emplace_back([&work, i] { work(i); });
  for (std::thread& thread : running) thread.join();
}

}  // namespace peiling::intake
