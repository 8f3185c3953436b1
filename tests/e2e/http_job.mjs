// The main job over HTTP/JSON by what the OpenAPI document says: both exports in, the published report of 2022 out, and every other operation at
// least once. Usage: node http_job.mjs ORIGIN KEY_FILE FOLDER_OF_THE_SURVEY; writes what it found as JSON.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Client, Problem } from "./http_client.mjs";
import { fieldwork } from "./http_fieldwork.mjs";

const [origin, keyFile, folder] = process.argv.slice(2);
const survey = { survey: "sociale-wijkteams" };
const wave2019 = { ...survey, wave: "2019" };
const wave2022 = { ...survey, wave: "2022" };
const client = await Client.connect(origin, readFileSync(keyFile, "utf8").trim());

function nameOf({ survey, wave }) {
  return `surveys/${survey}/waves/${wave}`;
}

async function importExport(wave, file) {
  const content = readFileSync(file);
  const lines = [{ header: { contentLength: String(content.length) } }];
  for (let at = 0; at < content.length; at += 60_000) lines.push({ content: content.subarray(at, at + 60_000).toString("base64") });
  let summary;
  let rows = 0;
  for await (const report of client.stream("importResponses", wave, { lines })) {
    if (report.row) ++rows;
    if (report.summary) summary = report.summary;
  }
  assert.equal(String(rows), summary.rows);
  return summary;
}

async function refused(call, status, reason) {
  const problem = await call.then(() => assert.fail(`not refused with ${reason}`), (error) => error);
  assert.ok(problem instanceof Problem, problem.stack);
  assert.deepEqual([problem.status, problem.body.reason], [status, reason]);
  return problem.body;
}

// The first message that is wanted, and how many came before it.
async function first(stream, wanted) {
  let before = 0;
  for await (const message of stream) {
    if (wanted(message)) return { message, before };
    ++before;
  }
  assert.fail("the stream ended");
}

async function takeIn() {
  const documents = ["survey.yaml", "2019.yaml", "2022.yaml", "published-2022.yaml"].map((filename) => ({ filename, text: readFileSync(join(folder, filename), "utf8") }));
  const applied = await client.call("applyDocuments", {}, { documents, requestId: "documents" });
  assert.ok(applied.resources.every((resource) => resource.outcome === "APPLY_OUTCOME_CREATED"));
  const summaries = {};
  for (const wave of [wave2019, wave2022]) {
    summaries[wave.wave] = await importExport(wave, join(folder, "waves", wave.wave, "responses.csv"));
    await client.call("getCleaningReport", { ...wave, waitForSubmissions: summaries[wave.wave].position.submissions });
  }
  return summaries;
}

async function rule() {
  const lines = readFileSync(join(folder, "waves/2022/rulings.csv"), "utf8").trim().split("\n").slice(1);
  let answer;
  for (const line of lines) {
    const [response, municipalityCode, reason] = line.split(",");
    const ruling = { response: `${nameOf(wave2022)}/responses/${response}`, reason, assign: { municipalityCode } };
    answer = await client.call("createRuling", wave2022, { ruling, requestId: `ruling-${response}` });
    const again = await client.call("createRuling", wave2022, { ruling, requestId: `ruling-${response}` });
    assert.deepEqual(again, answer);
  }
  return answer.position.records;
}

async function figures(records) {
  const progress = await client.call("getProgress", { ...wave2022, waitForRecords: records });
  const comparison = await client.call("compareWithPublished", { ...wave2022, waitForRecords: records });
  const trends = await client.pages("listTrends", "trends", { ...survey, pageSize: 10 });
  const teams = trends.find((trend) => trend.id === "teams").points.map((point) => point.percent);
  const trend = await client.call("getTrend", { ...survey, optionQuestion: "Q5", optionOption: "ja" });
  assert.deepEqual(trend.points.map((point) => point.percent), teams);
  const table = await client.call("tabulate", { ...wave2022, questions: ["Q5"], byStratum: "STRATUM_SIZE_CLASS", waitForRecords: records });
  const query = { questions: ["Q5"], filters: [{ stratum: { group: "G4" } }] };
  const g4 = await client.call("tabulateWithPost", wave2022, query);
  await client.call("tabulate", wave2022);
  const { report } = await client.call("getCleaningReport", { ...wave2022, waitForRecords: records });
  return {
    cleaning: report,
    total: progress.lines[0],
    figures: comparison.figures.length,
    comparison: [comparison.matching, comparison.slips, comparison.contradicted, comparison.differing],
    teams,
    classes: table.tables[0].columns.map((column) => Number(column.records)),
    g4: Number(g4.tables[0].columns[0].records),
  };
}

async function lookAtResponsesAndRecords() {
  const responses = await client.pages("listResponses", "responses", { ...wave2022, pageSize: 50 });
  const response = responses[0].name.split("/").at(-1);
  const shown = await client.call("getResponse", { ...wave2022, response, view: "RESPONSE_VIEW_PERSONAL" });
  assert.equal(shown.name, responses[0].name);
  const records = await client.pages("listRecords", "records", wave2022);
  const record = await client.call("getRecord", { ...wave2022, record: records[0].municipalityCode });
  assert.deepEqual(record, records[0]);
  const decisions = await client.pages("listDecisions", "decisions", wave2022);
  const cases = await client.pages("listCases", "cases", { ...wave2022, contradicting: true });
  const one = await client.call("getCase", { ...wave2022, case: cases[0].name.split("/").at(-1) });
  assert.deepEqual(one, cases[0]);
  const { message: caughtUp, before: submissions } = await first(client.stream("watchSubmissions", wave2022), (event) => event.caughtUp);
  await first(client.stream("watchRecords", wave2022, { accept: "text/event-stream" }), (event) => event.caughtUp);
  assert.equal(caughtUp.caughtUp.sequence, String(submissions));
  return { responses: responses.length, records: records.length, decisions: decisions.length, contradicting: cases.length };
}

async function lookAtSurveys() {
  assert.deepEqual((await client.pages("listSurveys", "surveys")).map((one) => one.name), ["surveys/sociale-wijkteams"]);
  await client.call("getSurvey", survey);
  const waves = await client.pages("listWaves", "waves", { survey: "-" });
  assert.deepEqual(waves.map((wave) => wave.name), [nameOf(wave2019), nameOf(wave2022)]);
  assert.deepEqual(await client.call("getWave", wave2022), waves[1]);
  const questionnaire = await client.call("getQuestionnaire", { ...survey, questionnaire: "2022" });
  await client.call("getPublishedReport", wave2022);
  await first(client.stream("watchWaves"), (event) => event.caughtUp);
  await first(client.stream("watchProgress", wave2022, { accept: "text/event-stream" }), (progress) => progress.lines.length > 0);
  return questionnaire;
}

async function lookAtMunicipalities() {
  const onDate = await client.pages("listMunicipalities", "municipalities", { asOf: "2022-03-24", pageSize: 1000 });
  const everything = await client.pages("listMunicipalities", "municipalities");
  await client.call("getMunicipality", { municipality: "GM0363", asOf: "2022-03-24" });
  for (const { code } of everything) await client.call("getMunicipality", { municipality: code });
  const lineage = await client.call("traceLineage", { codes: ["GM0505"], from: "2014-01-01", to: "2022-01-01" });
  const resolution = await client.call("resolveMunicipality", { text: "gem. Nissewaard" });
  assert.deepEqual(resolution.codes, ["GM1930"]);
  await client.call("batchResolveMunicipalities", {}, { texts: ["Apeldorn", "Bergen"], asOf: "2022-03-24" });
  return { onDate: onDate.length, ever: everything.length, lineage: lineage.lineages[0].codes };
}

async function judge({ questionnaire, fingerprint }) {
  const check = await client.call("checkQuestionnaire", {}, { questionnaire });
  assert.equal(check.fingerprint, fingerprint);
  const answers = { answers: [{ question: "Q5", selection: { codes: ["misschien"] } }, { question: "Q999", text: "?" }] };
  const request = { questionnaire, responses: [{ answers, submitted: true }], frameDate: "2022-03-24" };
  const { results } = await client.call("validateResponses", {}, request);
  const streamed = [];
  for await (const judged of client.stream("streamValidateResponses", {}, { lines: [request, { responses: request.responses }] })) streamed.push(judged.results);
  assert.deepEqual(streamed, [results, results]);
  return results[0].issues.map((issue) => issue.kind);
}

async function submitAndTakeBack() {
  const text = readFileSync(join(folder, "2022.yaml"), "utf8").replace('wave: "2022"', 'wave: "proef"');
  await client.call("applyDocuments", {}, { documents: [{ filename: "proef.yaml", text }], requestId: "proef" });
  const wave = { ...survey, wave: "proef" };
  const answers = [
    { question: "Q1", text: "Proefpersoon" },
    { question: "Q3", text: "gem. Nissewaard" },
    { question: "Q5", selection: { codes: ["nee"] } },
    { question: "Q6", selection: { codes: ["ja"] } },
  ];
  const { response, position } = await client.call("submitResponse", wave, { response: { answers: { answers } }, requestId: "een" });
  await client.call("getCleaningReport", { ...wave, waitForSubmissions: position.submissions });
  const wrong = { response: { answers: { answers: [{ question: "Q5", selection: { codes: ["misschien"] } }, { question: "Q999", text: "?" }] } }, requestId: "fout" };
  const problem = await refused(client.call("submitResponse", wave, wrong), 400, "RESPONSE_INVALID");
  assert.ok(problem.errors.length >= 3);
  const one = { ...wave, response: response.name.split("/").at(-1) };
  await refused(client.call("withdrawResponse", { ...one, "If-Match": '"another"' }, { reason: "proef", requestId: "terug-1" }), 412, "ETAG_MISMATCH");
  const withdrawn = await client.call("withdrawResponse", { ...one, "If-Match": `"${response.etag}"` }, { reason: "proef", requestId: "terug-2" });
  assert.equal(withdrawn.response.state, "RESPONSE_STATE_WITHDRAWN");
  assert.equal(await client.call("getResponse", { ...one, "If-None-Match": `"${withdrawn.response.etag}"` }), undefined);
}

async function takeBackARuling() {
  const [made] = await client.pages("listRulings", "rulings", wave2022);
  const ruling = made.name.split("/").at(-1);
  const back = await client.call("retractRuling", { ...wave2022, ruling }, { reason: "proef", requestId: "terug" });
  assert.ok(back.ruling.retractedAt);
  await refused(client.call("retractRuling", { ...wave2022, ruling }, { reason: "proef", requestId: "terug-2" }), 409, "ALREADY_RETRACTED");
  return back.ruling.recordedBy;
}

async function keys() {
  const caller = await client.call("getCaller");
  const grants = [{ role: "ROLE_ANALYST", resources: [nameOf(wave2022)] }];
  const { key } = await client.call("createKey", {}, { key: { title: "dashboard", grants }, requestId: "sleutel" });
  const id = { key: key.name.split("/").at(-1) };
  assert.deepEqual(await client.call("getKey", id), key);
  const revoked = await client.call("revokeKey", { ...id, "If-Match": `"${key.etag}"` }, { requestId: "weg" });
  assert.ok(revoked.revokedAt);
  assert.ok((await client.pages("listKeys", "keys")).some((one) => one.name === key.name));
  const rulings = await client.pages("listAuditEntries", "entries", { action: "CreateRuling", since: "2022-01-01T00:00:00+01:00", pageSize: 1 });
  return { caller: caller.subject, rulings: rulings.map((entry) => entry.subject) };
}

const found = { imported: await takeIn() };
Object.assign(found, await figures(await rule()));
found.seen = await lookAtResponsesAndRecords();
found.municipalities = await lookAtMunicipalities();
found.issues = await judge(await lookAtSurveys());
await submitAndTakeBack();
found.recordedBy = await takeBackARuling();
found.access = await keys();
await fieldwork(client, refused);
found.uncalled = client.operations().map((operation) => operation.id).filter((id) => !client.called.has(id));
console.log(JSON.stringify(found));
