import { Button, Textarea } from "@mantine/core";
import { useState } from "react";
import { asProblem, type Problem } from "../../api/problem";
import { type Review, signReview } from "../../api/reviews";
import { Link } from "../../parts/Link";
import { ProblemNote } from "../../parts/Notice";
import { Card } from "../../parts/Page";
import { Text } from "../../parts/Text";
import { At } from "../../parts/When";
import { useMayReview, useReadOnly, useSession } from "../../state/ledger";
import { grouped, plural } from "../../text/number";

const MOST = 2000;

function Signatures({ review }: { review: Review }) {
  return (
    <ol className="changes">
      {review.signed.map(({ index, by, at, note }) => (
        <li key={index}>
          <span>
            Signed by{" "}
            <b>
              <Text limit={80}>{by}</Text>
            </b>
            , <At time={at} />
            {note && (
              <blockquote className="reason">
                <Text>{note}</Text>
              </blockquote>
            )}
          </span>
          <Link href={`/trail?entry=${index}`}>№ {grouped(index)}</Link>
        </li>
      ))}
    </ol>
  );
}

function SignForm({ review, onSigned }: { review: Review; onSigned: () => void }) {
  const session = useSession();
  const [note, setNote] = useState("");
  const [signing, setSigning] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const sign = async () => {
    setSigning(true);
    setProblem(undefined);
    try {
      await signReview(review, note.trim());
      setNote("");
      onSigned();
    } catch (error) {
      setProblem(asProblem(error));
    }
    setSigning(false);
  };
  return (
    <form
      className="stack decide no-print"
      onSubmit={(event) => {
        event.preventDefault();
        void sign();
      }}
    >
      <Textarea
        label="Note"
        description="What you looked at and what is to be done; may be empty"
        rows={3}
        maxLength={MOST}
        value={note}
        onChange={(event) => setNote(event.currentTarget.value)}
      />
      <p className="quiet small">
        Signing records an entry with your name (<Text>{session?.name ?? ""}</Text>), the day, its entries, the counts
        above and that {plural(review.open_alerts, "alert is", "alerts are")} not closed. It cannot be taken back.
      </p>
      {problem && <ProblemNote problem={problem} />}
      <div className="row">
        <Button type="submit" disabled={signing}>
          Sign the review of {review.day}
        </Button>
      </div>
    </form>
  );
}

export function SignOff({ review, onSigned }: { review: Review; onSigned: () => void }) {
  const mayReview = useMayReview();
  const readOnly = useReadOnly();
  return (
    <Card title="Sign-off" aside={review.signed.length === 0 ? "not signed yet" : undefined}>
      <div className="stack">
        {review.signed.length > 0 && <Signatures review={review} />}
        {mayReview && <SignForm review={review} onSigned={onSigned} />}
        {!mayReview && review.signed.length === 0 && (
          <p className="quiet">
            Nobody has signed this day.{" "}
            {readOnly
              ? "Only read here: reviews are signed at the service that records."
              : "Reviewers and administrators may."}
          </p>
        )}
      </div>
    </Card>
  );
}
