import type { SignedDay } from "../../api/reviews";
import { Icon } from "../../parts/Icon";
import { Link } from "../../parts/Link";
import { ProblemNote } from "../../parts/Notice";
import { Text } from "../../parts/Text";
import type { Resource } from "../../state/resource";
import { daysUntil, shifted, weekday } from "../../text/day";

const SHOWN = 30;

interface DaysProps {
  today: string;
  day: string;
  reviews: Resource<{ reviews: SignedDay[] }>;
}

/** The last thirty days that are over, each with who signed it. */
export function Days({ today, day, reviews }: DaysProps) {
  const signers = new Map<string, string>();
  for (const { day: reviewed, by } of reviews.data?.reviews ?? []) signers.set(reviewed, by);
  return (
    <nav className="days" aria-label="Last 30 days">
      <h2>Last 30 days</h2>
      {reviews.problem && <ProblemNote problem={reviews.problem} onRetry={reviews.reload} />}
      <ol>
        {daysUntil(shifted(today, -1), SHOWN).map((one) => {
          const by = signers.get(one);
          return (
            <li key={one}>
              <Link
                href={`/review?day=${one}`}
                aria-current={one === day ? "page" : undefined}
                data-signed={by !== undefined || undefined}
              >
                <Icon name={by === undefined ? "ring" : "check"} />
                <span>
                  {one} <span className="quiet">{weekday(one).slice(0, 3)}</span>
                </span>
                {reviews.data && (
                  <span className="quiet small">{by === undefined ? "not signed" : <Text limit={24}>{by}</Text>}</span>
                )}
              </Link>
            </li>
          );
        })}
      </ol>
    </nav>
  );
}
