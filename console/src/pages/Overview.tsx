import { SegmentedControl } from "@mantine/core";
import { useState } from "react";
import { getJson } from "../api/client";
import type { Source, Verification } from "../api/types";
import { FirstEntry } from "../parts/FirstEntry";
import { Grades } from "../parts/Grades";
import { Link } from "../parts/Link";
import { Empty, Loading, ProblemNote } from "../parts/Notice";
import { Card, Page } from "../parts/Page";
import { SourcesTable } from "../parts/SourcesTable";
import { WatchCard } from "../parts/WatchCard";
import { useWatch } from "../state/ledger";
import { useResource } from "../state/resource";
import { useChangeParams, useParams } from "../state/router";
import { grouped, plural } from "../text/number";
import { loadModels, loadVolume, type Volume } from "./overview/figures";
import { ModelsCard } from "./overview/ModelsCard";
import { PERIODS } from "./overview/period";
import { VolumeCard } from "./overview/VolumeCard";

function Figures({ volume }: { volume: Volume }) {
  const { from } = volume.period;
  const href = (filter: Record<string, string>) =>
    `/trail?${new URLSearchParams({ ...filter, ...(from ? { from: from.toISOString(), since: "custom" } : {}) })}`;
  const figures = [
    { count: volume.total, words: volume.total === 1 ? "event" : "events", filter: {}, tone: "quiet" },
    {
      count: volume.overrides,
      words: "overridden by people",
      filter: { event_type: "manual_override" },
      tone: "override",
    },
    { count: volume.denied, words: "denied", filter: { outcome: "denied" }, tone: "denied" },
    { count: volume.failed, words: "failed", filter: { outcome: "failure" }, tone: "failed" },
  ];
  return (
    <div className="figures">
      {figures.map(({ count, words, filter, tone }) => (
        <Link
          key={words}
          href={href(filter as Record<string, string>)}
          className="figure"
          data-tone={count > 0 ? tone : "quiet"}
        >
          <b>{grouped(count)}</b>
          <span>{words}</span>
        </Link>
      ))}
    </div>
  );
}

function sourceTrouble(sources: Source[]): string {
  const gaps = sources.filter((source) => source.gaps.length > 0).length;
  return gaps === 0 ? `${plural(sources.length, "source")}, none with a gap` : `${plural(gaps, "source")} with a gap`;
}

export default function Overview() {
  const params = useParams();
  const change = useChangeParams();
  const { status } = useWatch();
  const [now] = useState(Date.now);
  const period = PERIODS.find(({ value }) => value === params.get("since")) ?? PERIODS[2];
  const volume = useResource(`volume ${period.value}`, (signal) => loadVolume(period.hours, now, signal));
  const models = useResource(`models ${period.value}`, (signal) => loadModels(period.hours, now, signal));
  const sources = useResource("sources", (signal) => getJson<{ sources: Source[] }>("/api/v1/sources", signal));
  const verification = useResource("verification", (signal) => getJson<Verification>("/api/v1/verification", signal));
  const isNew = status?.tree_size === 0 || (volume.data?.total === 0 && period.hours === 0);

  return (
    <Page
      title="Overview"
      lead={status ? `${status.origin}, ${plural(status.tree_size, "entry", "entries")}` : undefined}
      tools={
        <SegmentedControl
          aria-label="Period"
          value={period.value}
          onChange={(value) => change({ since: value })}
          data={PERIODS.map(({ value, label }) => ({ value, label }))}
        />
      }
    >
      {isNew && <FirstEntry />}
      <div className="stack">
        {volume.problem && <ProblemNote problem={volume.problem} onRetry={volume.reload} />}
        {!volume.data && volume.loading && <Loading what="the numbers" />}
        {volume.data && volume.data.total > 0 && <Figures volume={volume.data} />}
        <div className="grid">
          {volume.data && volume.data.total > 0 && <VolumeCard volume={volume.data} words={period.words} />}
          {volume.data?.total === 0 && !isNew && (
            <Card wide title="Volume by event type">
              <Empty title={`Nothing happened in ${period.words}`}>
                <p className="quiet">
                  The ledger holds older events. <Link href="/?since=all">Show all time</Link>
                </p>
              </Empty>
            </Card>
          )}
          <Card title="Integrity" aside={<Link href="/integrity">Details</Link>}>
            <Grades run={verification.data?.last} />
          </Card>
          <WatchCard />
          {!isNew && <ModelsCard models={models} />}
          <Card wide title="Completeness" aside={sources.data && sourceTrouble(sources.data.sources)}>
            {sources.problem && <ProblemNote problem={sources.problem} onRetry={sources.reload} />}
            {!sources.data && sources.loading && <Loading what="the sources" />}
            {sources.data && <SourcesTable sources={sources.data.sources} />}
          </Card>
        </div>
      </div>
    </Page>
  );
}
