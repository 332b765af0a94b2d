import createClient from "openapi-fetch";
import type { paths as Execution } from "./execution.js";
import type { paths as Public } from "./public.js";

declare const process: { argv: string[] };

const wanted: { server: string; worker: string; public: string; task_instance_id: string } = JSON.parse(process.argv[2]);
const worker = createClient<Execution>({
  baseUrl: `${wanted.server}/execution`,
  headers: { Authorization: `Bearer ${wanted.worker}` },
});
const person = createClient<Public>({
  baseUrl: `${wanted.server}/api/v2`,
  headers: { Authorization: `Bearer ${wanted.public}` },
});

const key = "typescript/key";
const written = await worker.PUT("/store/ti/{task_instance_id}/{key}", {
  params: { path: { task_instance_id: wanted.task_instance_id, key } },
  body: { value: { offset: 42 } },
});
if (!written.response.ok) throw new Error(`${written.response.status} ${JSON.stringify(written.error)}`);
const { data, error } = await person.GET(
  "/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/state-store/{key}",
  { params: { path: { dag_id: "dag", dag_run_id: "run", task_id: "task", key } } },
);
if (data === undefined || typeof data === "string") throw new Error(JSON.stringify(error)); // a text is a watch's
const expires: string | null = data.expires_at;
const missing = await worker.GET("/store/ti/{task_instance_id}/{key}", {
  params: { path: { task_instance_id: wanted.task_instance_id, key: "typescript/missing" } },
});
const detail = missing.error?.detail;
const reason = typeof detail === "object" && "reason" in detail ? detail.reason : null;
console.log(
  JSON.stringify({
    status: written.response.status,
    key: data.key,
    value: data.value,
    expires_at: expires,
    missing: reason,
  }),
);
