import { Button } from "@mantine/core";
import { useMemo, useState } from "react";
import { listEntries } from "../api/entry";
import { FirstEntry } from "../parts/FirstEntry";
import { Icon } from "../parts/Icon";
import { Empty, Loading, ProblemNote } from "../parts/Notice";
import { Page } from "../parts/Page";
import { useResource } from "../state/resource";
import { useChangeParams, useParams } from "../state/router";
import { grouped, plural } from "../text/number";
import { EntryPanel } from "./trail/EntryPanel";
import { FilterBar } from "./trail/FilterBar";
import { apiParams, hasFilter, openedIndex } from "./trail/filter";
import { useKeys } from "./trail/keys";
import { Rows } from "./trail/Rows";
import { TailLine } from "./trail/TailLine";
import { useTail } from "./trail/tail";

export function Trail() {
  const params = useParams();
  const change = useChangeParams();
  const [loadedAt, setLoadedAt] = useState(Date.now);
  const [live, setLive] = useState(false);
  const [pausedAt, setPausedAt] = useState<number>();
  const [newer, setNewer] = useState<(string | undefined)[]>([]);
  const [selected, setSelected] = useState<number>();
  const cursor = params.get("cursor") ?? undefined;
  const opened = openedIndex(params);

  const filterKey = useMemo(() => {
    const own = new URLSearchParams(params);
    own.delete("entry");
    return own.toString();
  }, [params]);
  const api = useMemo(() => apiParams(new URLSearchParams(filterKey), loadedAt), [filterKey, loadedAt]);
  const page = useResource(api.toString(), (signal) => listEntries(api, signal));
  const tail = useTail(live && !cursor ? page.data?.treeSize : undefined, api);

  const arrived = useMemo(
    () => tail.entries.filter(({ index }) => pausedAt === undefined || index <= pausedAt),
    [tail.entries, pausedAt],
  );
  const entries = useMemo(() => [...arrived, ...(page.data?.entries ?? [])], [arrived, page.data]);
  const paused = pausedAt !== undefined;
  const follow = () => {
    if (live) setPausedAt(paused ? undefined : (tail.entries[0]?.index ?? -1));
    else setLive(true);
  };

  const keys = useMemo(() => {
    const at = entries.findIndex(({ index }) => index === (opened ?? selected));
    const go = (place: number) => {
      const entry = entries[Math.max(0, Math.min(entries.length - 1, place))];
      if (!entry) return;
      setSelected(entry.index);
      if (opened !== undefined) change({ entry: String(entry.index) }, { replace: true });
    };
    return {
      next: () => go(at + 1),
      previous: () => go(at - 1),
      open: () => selected !== undefined && change({ entry: String(selected) }),
      close: () => change({ entry: undefined }),
    };
  }, [entries, opened, selected, change]);
  useKeys(keys);

  const open = (index: number) => {
    setSelected(index);
    change({ entry: String(index) });
  };
  const older = () => {
    setNewer((before) => [...before, cursor]);
    change({ cursor: page.data?.nextCursor, entry: undefined });
    scrollTo(0, 0);
  };
  const back = () => {
    change({ cursor: newer.at(-1), entry: undefined });
    setNewer((before) => before.slice(0, -1));
  };
  const newest = () => {
    setNewer([]);
    setLoadedAt(Date.now());
    setPausedAt(undefined);
    change({ cursor: undefined, entry: undefined });
    page.reload();
  };

  const isEmpty = page.data && entries.length === 0;
  const isNew = isEmpty && page.data?.treeSize === 0;
  return (
    <Page
      title="Trail"
      lead="Every recorded event, newest first. Press j and k to move, Enter to open, Escape to close."
      tools={
        <>
          <Button variant="default" onClick={newest}>
            Newest
          </Button>
          <Button
            variant={live && !paused ? "filled" : "default"}
            disabled={cursor !== undefined}
            leftSection={<Icon name={live && !paused ? "pause" : "play"} />}
            onClick={follow}
          >
            {!live ? "Follow live" : paused ? "Go on" : "Pause"}
          </Button>
        </>
      }
    >
      <FilterBar />
      {live && !cursor && (
        <TailLine
          tail={tail}
          since={page.data?.treeSize ?? 0}
          waiting={tail.entries.length - arrived.length}
          paused={paused}
        />
      )}
      {page.problem && <ProblemNote problem={page.problem} onRetry={page.reload} />}
      {!page.data && page.loading && <Loading what="events" />}
      {isNew && <FirstEntry />}
      {isEmpty && !isNew && (
        <Empty title={hasFilter(params) ? "No event matches this filter" : "No events here"}>
          <p className="quiet">
            Widen the time, or take away what you do not need. Entity and actor must be written exactly as recorded.
          </p>
        </Empty>
      )}
      {entries.length > 0 && (
        <div aria-busy={page.loading}>
          <Rows entries={entries} selected={selected} opened={opened} onOpen={open} />
          <nav className="pager" aria-label="Pages of events">
            <span className="quiet small">
              {plural(entries.length, "event")} on this page, of a ledger of {grouped(page.data?.treeSize ?? 0)}{" "}
              entries.
            </span>
            <span className="row">
              <Button variant="default" disabled={!cursor} onClick={newer.length ? back : newest}>
                {newer.length || !cursor ? "Newer" : "Back to the newest"}
              </Button>
              <Button variant="default" disabled={!page.data?.nextCursor} onClick={older}>
                Older
              </Button>
            </span>
          </nav>
        </div>
      )}
      {opened !== undefined && <EntryPanel index={opened} onClose={() => change({ entry: undefined })} onOpen={open} />}
    </Page>
  );
}
