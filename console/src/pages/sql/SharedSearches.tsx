import { ActionIcon } from "@mantine/core";
import { useState } from "react";
import { asProblem, type Problem } from "../../api/problem";
import { removeSearch, type Search, type Searches } from "../../api/searches";
import { Icon } from "../../parts/Icon";
import { ProblemNote } from "../../parts/Notice";
import { Text } from "../../parts/Text";
import { Ago } from "../../parts/When";
import { useMayReview } from "../../state/ledger";
import type { Resource } from "../../state/resource";
import { plural } from "../../text/number";
import { periodText } from "./periods";

function LastRun({ search }: { search: Search }) {
  const { last } = search;
  return (
    <p className="quiet small">
      {periodText(search.every_minutes)}
      {search.late && (
        <>
          {" · "}
          <span
            className="bad"
            title="It begins more than its own interval after its time: other searches take too long"
          >
            late
          </span>
        </>
      )}
      {last && (
        <>
          {" · "}
          {last.fault ? <span className="bad">could not run</span> : plural(last.rows, "row")}, <Ago time={last.at} />
        </>
      )}
    </p>
  );
}

function Item({
  search,
  onChoose,
  onRemove,
}: {
  search: Search;
  onChoose: (search: Search) => void;
  onRemove: (() => void) | undefined;
}) {
  const told = search.last?.fault ?? search.sql;
  return (
    <li className="shared-search">
      <div>
        <button type="button" className="library-item" onClick={() => onChoose(search)} title={told}>
          <Text>{search.name}</Text>
        </button>
        <LastRun search={search} />
      </div>
      {onRemove && (
        <ActionIcon
          size="sm"
          variant="subtle"
          color="gray"
          aria-label={`Remove the search ${search.name} for everybody`}
          onClick={onRemove}
        >
          <Icon name="cross" />
        </ActionIcon>
      )}
    </li>
  );
}

/** The searches that the service keeps for everybody. */
export function SharedSearches({
  searches,
  onChoose,
}: {
  searches: Resource<Searches>;
  onChoose: (search: Search) => void;
}) {
  const mayReview = useMayReview();
  const [problem, setProblem] = useState<Problem>();
  const remove = async (search: Search) => {
    if (!confirm(`Remove the search “${search.name}” for everybody?`)) return;
    try {
      await removeSearch(search.name);
      setProblem(undefined);
    } catch (error) {
      setProblem(asProblem(error));
    }
    searches.reload();
  };
  const wrong = problem ?? searches.problem;
  const { data } = searches;
  return (
    <>
      <h2>Everybody’s</h2>
      {wrong && <ProblemNote problem={wrong} />}
      {data?.fault && (
        <p className="bad small" role="alert">
          <Text>{data.fault}</Text>
        </p>
      )}
      {data?.searches.length === 0 && (
        <p className="quiet small">Searches that reviewers keep in the service, which can run them on a schedule.</p>
      )}
      <ul>
        {data?.searches.map((search) => (
          <Item
            key={search.name}
            search={search}
            onChoose={onChoose}
            onRemove={mayReview ? () => void remove(search) : undefined}
          />
        ))}
      </ul>
    </>
  );
}
