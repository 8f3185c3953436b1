// The fieldwork of a wave over HTTP/JSON by what the OpenAPI document says: contacts, invitations, drafts of several people, mail, webhooks, times of
// the wave and progress; every operation at least once.
import assert from "node:assert/strict";

const survey = { survey: "veldwerk" };
const wave = { ...survey, wave: "2026" };
const day = (days) => new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
const SURVEY = "kind: survey\nsurvey: veldwerk\ntitle: Veldwerk\n";
const WAVE = `
kind: wave
survey: veldwerk
wave: "2026"
title: Veldwerk 2026
language: nl
frame_date: 2026-01-01
opens: ${day(-30)} 09:00
closes: ${day(30)} 17:00
mailing:
  sender: peiling@example.nl
  sender_name: VNG
  steps:
  - {id: uitnodiging, kind: invitation}
  - {id: dank, kind: thanks, offset: 10m}
sections:
- title: Algemeen
  questions:
  - {code: V1, type: text, title: "Wat is uw naam?", personal: true, role: respondent}
  - {code: V2, type: text, title: "Voor welke gemeente?", role: municipality}
- title: Teams
  questions:
  - {code: V3, type: text, title: "Welke teams?"}
`;

const lastId = (name) => name.split("/").at(-1);
const answer = (question, text) => ({ answer: { question, text } });

// What happens a moment after something else: news of a wave, and mail that is planned.
async function eventually(call, fine) {
  for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 100))) {
    const result = await call().catch((error) => error);
    if (fine(result)) return result;
    if (Date.now() > end) throw result instanceof Error ? result : new Error(`still ${JSON.stringify(result)}`);
  }
}

async function contacts(client, refused) {
  const amsterdam = { municipality: "GM0363" };
  const person = { kind: "CONTACT_KIND_PERSON", fullName: "A. Ambtenaar", email: "a.ambtenaar@example.nl" };
  const made = await client.call("createContact", { ...amsterdam, requestId: "c1" }, person);
  await refused(client.call("createContact", { ...amsterdam, requestId: "c2" }, person), 409, "CONTACT_EXISTS");
  const one = { ...amsterdam, contact: lastId(made.name) };
  assert.deepEqual(await client.call("getContact", one), made);
  await refused(client.call("updateContact", { ...one, requestId: "c3", "If-Match": '"another"' }, person), 412, "ETAG_MISMATCH");
  const changed = await client.call("updateContact", { ...one, requestId: "c4", "If-Match": `"${made.etag}"` }, { ...person, jobTitle: "adviseur" });
  assert.equal(changed.jobTitle, "adviseur");
  let csv = "";
  for await (const piece of client.stream("exportContacts", { municipalities: "municipalities/GM0363" })) csv += Buffer.from(piece.content, "base64");
  assert.ok(csv.includes("a.ambtenaar@example.nl"), csv);
  const content = Buffer.from(csv).toString("base64");
  const imported = await client.call("importContacts", {}, { content, requestId: "c5" });
  assert.deepEqual([imported.total, imported.unchanged], [1, 1]);
  const second = await client.call("createContact", { municipality: "GM0014", requestId: "c6" }, { kind: "CONTACT_KIND_PERSON", email: "b@example.nl" });
  const all = await client.pages("listContacts", "contacts", { municipality: "-", pageSize: 1 });
  assert.deepEqual(all.map((contact) => contact.name), [second.name, made.name]);
  return { municipality: "GM0014", contact: lastId(second.name) };
}

async function invitations(client) {
  const issue = { municipalities: ["GM0363", "GM0014", "GM0518"], requestId: "i1" };
  const issued = await eventually(() => client.call("issueInvitations", wave, issue), (result) => result.issued === 3);
  assert.deepEqual(issued.withoutContact, ["GM0518"]);
  const one = { ...wave, invitation: "GM0363" };
  await client.call("getInvitation", one);
  const { link } = await client.call("reissueInvitation", one, { requestId: "i2" });
  const revoked = await client.call("revokeInvitation", { ...wave, invitation: "GM0518" }, { reason: "proef", requestId: "i3" });
  assert.equal(revoked.state, "INVITATION_STATE_REVOKED");
  assert.equal((await client.pages("listInvitations", "invitations", { ...wave, pageSize: 2 })).length, 3);
  return link.match(/peiling-uitnodiging_[A-Za-z0-9_=-]+/)[0];
}

// By who has the link, and an administrator.
async function drafts(client, holder, refused) {
  const redeemed = await holder.call("redeemInvitation", {}, {});
  const one = { ...wave, response: lastId(redeemed.response) };
  const { etag } = await holder.call("saveDraft", one, { changes: [answer("V1", "Ambtenaar"), answer("V3", "wijkteams")], requestId: "d1" });
  const stale = await holder.call("saveDraft", one, { changes: [answer("V3", "iets anders")], requestId: "d2" });
  assert.equal(stale.conflicts[0].theirs.text, "wijkteams");
  const draft = await holder.call("getDraft", { ...one, validate: true });
  assert.equal(draft.etag, etag);
  const invited = await holder.call("inviteColleague", one, { fullName: "C. Ollega", email: "c@example.nl", sections: [2], requestId: "d3" });
  assert.equal((await holder.call("listColleagues", one)).colleagues.length, 1);
  await holder.call("removeColleague", { ...one, colleague: invited.colleague.colleague }, { requestId: "d4" });
  assert.equal((await holder.call("submitDraft", one, { requestId: "d5" })).response.state, "RESPONSE_STATE_SUBMITTED");
  assert.equal((await holder.call("reopenDraft", one, { requestId: "d6" })).state, "RESPONSE_STATE_STARTED");
  const changes = await holder.pages("listDraftChanges", "changes", one);
  assert.deepEqual(changes.map((change) => change.kind.replace("DRAFT_CHANGE_KIND_", "")), ["CREATED", "SAVED", "SUBMITTED", "REOPENED"]);
  await refused(holder.call("getDraft", { ...wave, response: "GM0014" }), 403, "NOT_WITHIN_LIMITS");
  const made = await client.call("createDraft", wave, { responseId: "los", municipalities: ["GM0599"], requestId: "d7" });
  await client.call("saveDraft", { ...wave, response: "los" }, { etag: made.etag, changes: [answer("V1", "Iemand")], requestId: "d8" });
  await client.call("erasePersonalAnswers", { ...wave, response: "los" }, { reason: "proef", requestId: "d9" });
  const bare = await client.call("getDraft", { ...wave, response: "los" });
  assert.ok(!JSON.stringify(bare).includes("Iemand"));
  await holder.call("handOver", one, { fullName: "N. Ieuw", email: "n@example.nl", requestId: "d10" });
  // What a gateway remembers of a link, it remembers for a second.
  await eventually(() => holder.call("getDraft", one), (result) => result.body?.reason === "CREDENTIALS_INVALID");
}

async function mail(client, refused) {
  const lease = (requestId) => client.call("leaseMail", wave, { maxMessages: 1, leaseDuration: "60s", requestId });
  let round = 0;
  const leased = await eventually(() => lease(`m${++round}`), (result) => result.messages?.length === 1);
  const [{ message, content }] = leased.messages;
  assert.ok(Object.keys(content.fields).length > 0);
  const begun = await client.call("beginMail", wave, { leaseId: leased.leaseId, messages: [message] });
  assert.equal(begun.results[0].result, "MAIL_RESULT_OK");
  await client.call("completeMail", wave, { leaseId: leased.leaseId, outcomes: [{ message, sent: true, smtpCode: 250 }] });
  const event = { message, provider: "proef", eventId: "1", kind: "DELIVERY_EVENT_KIND_DELIVERED", time: new Date().toISOString() };
  await client.call("reportDeliveryEvents", wave, { events: [event] });
  const shown = await client.call("getMessage", { ...wave, message: lastId(message) });
  assert.equal(shown.state, "MESSAGE_STATE_DELIVERED");
  assert.ok((await client.pages("listMessages", "messages", { ...wave, pageSize: 1 })).length > 1);
  await client.call("getMailStatus", wave);
  assert.ok((await client.call("previewMail", { ...wave, step: "uitnodiging" })).text.includes("peiling"));
  const suppressed = await client.call("createSuppression", {}, { address: "weg@example.nl", requestId: "s1" });
  assert.deepEqual(await client.pages("listSuppressions", "suppressions"), [suppressed]);
  assert.deepEqual(await client.call("findSuppression", {}, { address: "weg@example.nl" }), suppressed);
  assert.deepEqual(await client.call("deleteSuppression", { suppression: lastId(suppressed.name), requestId: "s2" }), {});
  await refused(client.call("findSuppression", {}, { address: "weg@example.nl" }), 404, "SUPPRESSION_NOT_FOUND");
  // Mail programs have no credential.
  const unsubscription = content.unsubscribeUrl.split("/").at(-1);
  const anybody = client.as(undefined);
  assert.deepEqual(await anybody.call("unsubscribe", { unsubscription }, { "List-Unsubscribe": "One-Click" }), {});
  await refused(anybody.call("unsubscribe", { unsubscription: "x" }, {}), 400, "TOKEN_INVALID");
  assert.equal((await client.pages("listSuppressions", "suppressions")).length, 1);
}

async function webhooks(client) {
  // Of a survey in which nothing happens, so that nothing goes there.
  const webhook = { title: "proef", url: "https://8.8.8.8/haak", eventTypes: ["WEBHOOK_EVENT_TYPE_WAVE_CLOSED"], resource: "surveys/niets" };
  const made = await client.call("createWebhook", {}, { webhook, requestId: "w1" });
  const one = { webhook: lastId(made.webhook.name) };
  assert.deepEqual(await client.call("getWebhook", one), made.webhook);
  assert.deepEqual(await client.pages("listWebhooks", "webhooks"), [made.webhook]);
  const rotated = await client.call("rotateWebhookSecret", one, { requestId: "w2" });
  assert.notEqual(rotated.secret, made.secret);
  assert.deepEqual(await client.pages("listWebhookDeliveries", "deliveries", one), []);
  assert.equal((await client.call("redeliverWebhook", one, { requestId: "w3" })).redelivered, "0");
  await client.call("deleteWebhook", { ...one, requestId: "w4" });
}

async function progress(client) {
  const { lines } = await client.call("getFieldworkProgress", wave);
  assert.equal(lines[0].stratum, "total");
  const municipalities = await client.pages("listMunicipalityProgress", "municipalities", { ...wave, pageSize: 1000 });
  assert.equal(municipalities.length, Number(lines[0].municipalities));
  await client.pages("listCalls", "calls", { ...wave, pageSize: 1000 });
}

async function times(client, refused) {
  const closesAt = `${day(60)}T16:00:00Z`;
  const extended = await client.call("extendWave", wave, { closesAt, reason: "proef", requestId: "t1" });
  assert.equal(extended.closesAt, closesAt);
  await client.call("closeWave", { ...wave, "If-Match": `"${extended.etag}"` }, { reason: "proef", requestId: "t2" });
  await refused(client.call("saveDraft", { ...wave, response: "los" }, { changes: [answer("V3", "te laat")], requestId: "t3" }), 409, "WAVE_CLOSED");
  await client.call("openWave", wave, { reason: "toch", requestId: "t4" }).catch((error) => assert.equal(error.status, 409, error.stack));
  assert.ok((await client.pages("listWaveChanges", "changes", wave)).length >= 2);
}

export async function fieldwork(client, refused) {
  const documents = [{ filename: "survey.yaml", text: SURVEY }, { filename: "wave.yaml", text: WAVE }];
  await client.call("applyDocuments", {}, { documents, requestId: "veldwerk" });
  const contact = await contacts(client, refused);
  const token = await invitations(client);
  await mail(client, refused);
  await drafts(client, client.as(token), refused);
  await webhooks(client);
  await progress(client);
  await times(client, refused);
  assert.ok((await client.call("eraseContact", contact, { reason: "proef", requestId: "c7" })).contact.erasedAt);
}
