import { Button } from "@mantine/core";
import { useEffect, useMemo, useRef, useState } from "react";
import { type Alert, listAlerts, readWatching } from "../api/alerts";
import { Link } from "../parts/Link";
import { Loading, ProblemNote } from "../parts/Notice";
import { Card, Page } from "../parts/Page";
import { Text } from "../parts/Text";
import { Conditions } from "../parts/WatchCard";
import { countOpenAlerts, useOpenAlerts } from "../state/alerts";
import { useReadOnly, useSession } from "../state/ledger";
import { useResource } from "../state/resource";
import { changed, useChangeParams, useParams } from "../state/router";
import { plural } from "../text/number";
import { watchWords } from "../text/watch";
import { AlertPanel } from "./alerts/AlertPanel";
import { Filters } from "./alerts/Filters";
import { apiParams, wantedLevel, wantedState } from "./alerts/filter";
import { NoAlerts, NoneHere, NoRules } from "./alerts/NoAlerts";
import { AlertRows } from "./alerts/Rows";
import { EntryPanel } from "./trail/EntryPanel";
import { openedIndex } from "./trail/filter";
import { useKeys } from "./trail/keys";

/**
 * The page of alerts that the address asks for, read again whenever the open ones are counted. What an auditor reads is recorded:
 * for one it is read again when their number has changed.
 */
function useAlerts(params: URLSearchParams) {
  const api = useMemo(() => apiParams(params), [params]);
  const page = useResource(api.toString(), (signal) => listAlerts(api, signal));
  const counts = useOpenAlerts();
  const isAuditor = useSession()?.role === "auditor";
  const open = isAuditor && typeof counts === "object" ? counts.count : counts;
  const counted = useRef(open);
  const { reload } = page;
  useEffect(() => {
    if (counted.current !== open) reload();
    counted.current = open;
  }, [open, reload]);
  return page;
}

export default function Alerts() {
  const params = useParams();
  const readOnly = useReadOnly();
  const change = useChangeParams();
  const page = useAlerts(params);
  const watching = useResource("watching", readWatching);
  const [selected, setSelected] = useState<string>();
  const opened = params.get("alert") ?? undefined;
  const entry = openedIndex(params);
  const alerts = page.data?.alerts ?? [];
  const rules = watching.data?.rules;

  useEffect(() => {
    if (opened !== undefined) setSelected(opened);
  }, [opened]);

  const keys = useMemo(() => {
    const list = page.data?.alerts ?? [];
    const at = list.findIndex(({ id }) => id === (opened ?? selected));
    const go = (place: number) => {
      const alert = list[Math.max(0, Math.min(list.length - 1, place))];
      if (!alert) return;
      if (opened === undefined) setSelected(alert.id);
      else change({ alert: alert.id, entry: undefined }, { replace: true });
    };
    return {
      next: () => go(at + 1),
      previous: () => go(at - 1),
      open: () => selected !== undefined && change({ alert: selected }),
      close: () => change(entry === undefined ? { alert: undefined } : { entry: undefined }),
    };
  }, [page.data, opened, selected, entry, change]);
  useKeys(keys);

  const decided = () => {
    page.reload();
    void countOpenAlerts();
  };
  const openEntry = (index: number) => change({ entry: String(index) });
  const hrefOf = (alert: Alert) => `/alerts?${changed(params, { alert: alert.id, entry: undefined })}`;
  const state = wantedState(params);
  const isEmpty = page.data && alerts.length === 0;
  return (
    <Page
      title="Alerts"
      lead="What the rules found, newest first. Press j and k to move, Enter to open, Escape to close."
    >
      <div className="row spread alert-head">
        <Filters />
        {rules && (
          <p className="quiet small">
            {watchWords(rules)} <Link href="/integrity">How the watch stands</Link>
          </p>
        )}
      </div>
      {(page.problem || page.data?.unread) && (
        <div className="stack">
          {page.problem && <ProblemNote problem={page.problem} onRetry={page.reload} />}
          {page.data?.unread && (
            <div className="note" data-tone="failed" role="alert">
              <strong>Some alerts may be missing here</strong>
              <p className="problem-detail">
                Not every entry can be read: <Text>{page.data.unread}</Text>
              </p>
            </div>
          )}
          {watching.data && watching.data.conditions.length > 0 && (
            <Card title="What the service finds wrong now">
              <Conditions conditions={watching.data.conditions} />
            </Card>
          )}
        </div>
      )}
      {!page.data && page.loading && <Loading what="the alerts" />}
      {isEmpty && rules === null && (readOnly ? <NoneHere /> : <NoRules />)}
      {isEmpty && watching.data && rules !== null && (
        <NoAlerts
          rules={rules}
          words={`${state.words}${wantedLevel(params) ? " at this level" : ""}`}
          isAny={state.value === "all" && !wantedLevel(params)}
        />
      )}
      {alerts.length > 0 && (
        <div aria-busy={page.loading}>
          <AlertRows label="Alerts, newest first" alerts={alerts} hrefOf={hrefOf} selected={selected} opened={opened} />
          <nav className="pager" aria-label="Pages of alerts">
            <span className="quiet small">{plural(alerts.length, "alert")} on this page.</span>
            <span className="row">
              <Button
                variant="default"
                disabled={!params.has("cursor")}
                onClick={() => change({ cursor: undefined, alert: undefined })}
              >
                Newest
              </Button>
              <Button
                variant="default"
                disabled={!page.data?.next_cursor}
                onClick={() => change({ cursor: page.data?.next_cursor ?? undefined, alert: undefined })}
              >
                Older
              </Button>
            </span>
          </nav>
        </div>
      )}
      {opened !== undefined && (
        <AlertPanel
          id={opened}
          entry={entry}
          onOpenEntry={openEntry}
          onDecided={decided}
          onClose={() => change({ alert: undefined, entry: undefined })}
        />
      )}
      {entry !== undefined && (
        <EntryPanel index={entry} onClose={() => change({ entry: undefined })} onOpen={openEntry} />
      )}
    </Page>
  );
}
