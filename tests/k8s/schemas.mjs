// Checks manifests against what Kubernetes, cert-manager and the Prometheus operator accept: reads a JSON list of them on stdin and writes, for each,
// a list of problems. Unknown fields are problems: the validators pass over them, so a field that a validator never looks at is one it does not know.
import { text } from "node:stream/consumers";

const PACKAGES = [
  [/(^|\.)cert-manager\.io$/, "@kubernetes-models/cert-manager"],
  [/^monitoring\.coreos\.com$/, "@kubernetes-models/prometheus-operator"],
  [/./, "kubernetes-models"],
];

async function modelOf({ apiVersion, kind }) {
  const group = apiVersion.includes("/") ? apiVersion.split("/")[0] : "core";
  const [, name] = PACKAGES.find(([pattern]) => pattern.test(group));
  try {
    return (await import(`${name}/${apiVersion}`))[kind];
  } catch {
    return undefined;
  }
}

// Wraps a value so that `looked` knows the fields that were asked for, by object.
function watched(value, looked) {
  if (value === null || typeof value !== "object") return value;
  looked.set(value, new Set());
  const inside = new Map();
  return new Proxy(value, {
    get(target, field) {
      looked.get(target).add(field);
      if (!inside.has(field)) inside.set(field, watched(target[field], looked));
      return inside.get(field);
    },
  });
}

function unknownFields(value, looked, path) {
  if (value === null || typeof value !== "object") return [];
  return Object.keys(value).flatMap((field) => {
    const at = Array.isArray(value) ? `${path}[${field}]` : `${path}.${field}`;
    return looked.get(value)?.has(field) ? unknownFields(value[field], looked, at) : [`${at}: unknown field`];
  });
}

async function problemsOf(manifest) {
  const model = await modelOf(manifest);
  if (model === undefined) return [`${manifest.apiVersion} ${manifest.kind}: no such kind`];
  const looked = new Map();
  try {
    // On the object itself: a model made of it would be a copy.
    model.prototype.validate.call(watched(manifest, looked));
  } catch (error) {
    return [error.message];
  }
  return unknownFields(manifest, looked, "").map((problem) => problem.slice(1));
}

const manifests = JSON.parse(await text(process.stdin));
console.log(JSON.stringify(await Promise.all(manifests.map(problemsOf))));
