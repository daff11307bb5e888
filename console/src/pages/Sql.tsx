import { Button, Menu } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { isAbort, saveFile } from "../api/client";
import { asProblem, type Problem } from "../api/problem";
import { type Answer, download, query } from "../api/query";
import { listSearches, type Search } from "../api/searches";
import { ProblemNote } from "../parts/Notice";
import { Page } from "../parts/Page";
import { useSession } from "../state/ledger";
import { useResource } from "../state/resource";
import { useChangeParams, useParams } from "../state/router";
import { BundleDialog } from "./sql/BundleDialog";
import { Columns } from "./sql/Columns";
import { SHIPPED } from "./sql/catalog";
import { Editor } from "./sql/Editor";
import { Library } from "./sql/Library";
import { Results } from "./sql/Results";
import { SaveDialog } from "./sql/SaveDialog";

const EXPORTS = [
  { name: "CSV", accept: "text/csv", file: "answer.csv" },
  { name: "Parquet", accept: "application/vnd.apache.parquet", file: "answer.parquet" },
];

interface State {
  answer?: Answer;
  seconds?: number;
  problem?: Problem;
  running: boolean;
  stopped: boolean;
}

function useQuery() {
  const [state, setState] = useState<State>({ running: false, stopped: false });
  const abort = useRef<AbortController>(null);

  useEffect(() => () => abort.current?.abort(), []);

  const work = async (task: (signal: AbortSignal) => Promise<Partial<State>>) => {
    abort.current?.abort();
    const own = new AbortController();
    abort.current = own;
    setState((before) => ({ ...before, running: true, stopped: false }));
    try {
      const result = await task(own.signal);
      setState((before) => ({ ...(result.answer ? {} : before), ...result, running: false, stopped: false }));
    } catch (error) {
      if (abort.current !== own) return;
      setState(
        isAbort(error)
          ? { running: false, stopped: true }
          : { running: false, stopped: false, problem: asProblem(error) },
      );
    }
  };
  return { state, work, stop: () => abort.current?.abort() };
}

export default function Sql() {
  const params = useParams();
  const change = useChangeParams();
  const session = useSession();
  const [sql, setSql] = useState(() => params.get("q") ?? SHIPPED[0]?.sql ?? "");
  const [saving, setSaving] = useState(false);
  const [bundling, setBundling] = useState(false);
  const [chosen, setChosen] = useState<Search>();
  const searches = useResource("searches", listSearches);
  const { state, work, stop } = useQuery();
  const mayBundle = session?.role === "auditor" || session?.role === "admin";

  const run = (text = sql) => {
    change({ q: text }, { replace: true });
    void work(async (signal) => {
      const began = performance.now();
      const answer = await query(text, signal);
      return { answer, seconds: (performance.now() - began) / 1000 };
    });
  };
  const save = ({ accept, file }: (typeof EXPORTS)[number]) =>
    void work(async (signal) => {
      saveFile(file, await download(sql, accept, signal));
      return {};
    });
  const choose = (text: string, search?: Search) => {
    setSql(text);
    setChosen(search);
    run(text);
  };

  return (
    <Page
      title="SQL"
      lead="Ask the ledger anything. One table, audit_log, one row per entry; queries only read. Ctrl+Enter or ⌘+Enter runs."
    >
      <div className="workbench">
        <Library searches={searches} onChoose={choose} onChooseSearch={(search) => choose(search.sql, search)} />
        <div className="stack">
          <div className="card editor-card">
            <Editor value={sql} onChange={setSql} onRun={() => run()} />
            <div className="row editor-tools">
              {state.running ? (
                <Button color="red" variant="light" onClick={stop}>
                  Stop
                </Button>
              ) : (
                <Button onClick={() => run()} disabled={sql.trim() === ""}>
                  Run
                </Button>
              )}
              <Menu position="bottom-start">
                <Menu.Target>
                  <Button variant="default" disabled={state.running || sql.trim() === ""}>
                    Export …
                  </Button>
                </Menu.Target>
                <Menu.Dropdown>
                  {EXPORTS.map((form) => (
                    <Menu.Item key={form.name} onClick={() => save(form)}>
                      {form.name}
                    </Menu.Item>
                  ))}
                  <Menu.Item disabled={!mayBundle} onClick={() => setBundling(true)}>
                    Evidence bundle{mayBundle ? "" : " (auditors only)"}
                  </Menu.Item>
                </Menu.Dropdown>
              </Menu>
              <Button variant="default" onClick={() => setSaving(true)} disabled={sql.trim() === ""}>
                Save …
              </Button>
            </div>
          </div>
          {state.stopped && (
            <div className="note" data-tone="denied" role="status">
              <strong>Stopped.</strong> <span className="quiet">There is no answer.</span>
            </div>
          )}
          {state.problem && <ProblemNote problem={state.problem} />}
          {!state.answer && !state.problem && <Columns />}
          {state.answer && <Results answer={state.answer} seconds={state.seconds ?? 0} />}
        </div>
      </div>
      {saving && (
        <SaveDialog
          sql={sql}
          known={chosen}
          searches={searches.data?.searches ?? []}
          onClose={() => setSaving(false)}
          onSaved={searches.reload}
        />
      )}
      {bundling && <BundleDialog sql={sql} onClose={() => setBundling(false)} />}
    </Page>
  );
}
