// The texts in mail_templates, built in: the first line is the subject, what follows the empty line below it the text.
#pragma once

namespace peiling::survey {

extern const char kInvitationText[];
extern const char kReminderText[];
extern const char kExtensionText[];
extern const char kThanksText[];
extern const char kColleagueText[];

}  // namespace peiling::survey
