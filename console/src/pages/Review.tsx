import { Button, TextInput } from "@mantine/core";
import { useState } from "react";
import { listReviews, readReview } from "../api/reviews";
import { Loading, ProblemNote } from "../parts/Notice";
import { Page } from "../parts/Page";
import { useResource } from "../state/resource";
import { useChangeParams, useParams } from "../state/router";
import { dayOf, isDay, shifted, weekday } from "../text/day";
import { grouped } from "../text/number";
import { Day } from "./review/Day";
import { Days } from "./review/Days";

/** More than one may sign a day: enough for thirty of them. */
const READ = 100;

function Tools({ day, today }: { day: string; today: string }) {
  const change = useChangeParams();
  const go = (to: string) => change({ day: to });
  return (
    <>
      <Button variant="default" onClick={() => go(shifted(day, -1))}>
        Previous day
      </Button>
      <TextInput
        type="date"
        aria-label="Day (UTC)"
        max={today}
        value={day}
        onChange={(event) => isDay(event.currentTarget.value) && go(event.currentTarget.value)}
      />
      <Button variant="default" disabled={day >= today} onClick={() => go(shifted(day, 1))}>
        Next day
      </Button>
      <Button variant="default" onClick={() => print()}>
        Print
      </Button>
    </>
  );
}

export default function Review() {
  const [today] = useState(() => dayOf(Date.now()));
  const asked = useParams().get("day");
  const day = isDay(asked) && asked <= today ? asked : shifted(today, -1);
  const review = useResource(day, (signal) => readReview(day, signal));
  const reviews = useResource("reviews", (signal) => listReviews(READ, signal));
  const shown = review.data?.day === day ? review.data : undefined;
  const signed = () => {
    review.reload();
    reviews.reload();
  };
  return (
    <Page
      title={`Review of ${day}`}
      lead={
        <>
          What was recorded on {weekday(day)}, from midnight to midnight UTC
          {shown?.from_index != null &&
            shown.to_index != null &&
            shown.entries > 0 &&
            `: entries № ${grouped(shown.from_index)} to № ${grouped(shown.to_index)}`}
          {day === today && ". This day is not over: a signature covers what has been recorded until then"}.
        </>
      }
      tools={<Tools day={day} today={today} />}
    >
      <div className="reviewing">
        <div className="stack">
          {review.problem && <ProblemNote problem={review.problem} onRetry={review.reload} />}
          {!review.problem && !shown && <Loading what="the day" />}
          {shown && <Day key={day} review={shown} onSigned={signed} />}
        </div>
        <Days today={today} day={day} reviews={reviews} />
      </div>
    </Page>
  );
}
