import { Button, Modal, Radio, Select, TextInput } from "@mantine/core";
import { useState } from "react";
import { LEVELS, type Level } from "../../api/alerts";
import { asProblem, type Problem } from "../../api/problem";
import { keepSearch, RAISES, type Raises, type Search } from "../../api/searches";
import { ProblemNote } from "../../parts/Notice";
import { useMayReview } from "../../state/ledger";
import { savedStore } from "./catalog";
import { PERIODS, periodText } from "./periods";

const RAISES_TEXT: Record<Raises, string> = {
  never: "No alert",
  rows: "An alert when it finds other rows than before",
  always: "An alert each time",
};

function oneOf<T extends string>(values: readonly T[], value: string | null): T | undefined {
  return values.find((known) => known === value);
}

function keepHere(name: string, sql: string): void {
  savedStore.set([...savedStore.get().filter((query) => query.name !== name), { name, sql }]);
}

interface Choice {
  every: number | null;
  alert: Raises;
  level: Level;
}

function Schedule({ choice, onChange }: { choice: Choice; onChange: (choice: Choice) => void }) {
  return (
    <div className="stack">
      <Select
        label="Run it"
        data={PERIODS.map(({ minutes, name }) => ({ value: String(minutes ?? ""), label: name }))}
        value={String(choice.every ?? "")}
        onChange={(value) => {
          const every = value ? Number(value) : null;
          onChange({ ...choice, every, alert: every === null ? "never" : choice.alert });
        }}
        allowDeselect={false}
      />
      <Select
        label="And raise"
        description="Alerts go to the inbox and to the sinks"
        disabled={choice.every === null}
        data={RAISES.map((value) => ({ value, label: RAISES_TEXT[value] }))}
        value={choice.alert}
        onChange={(value) => onChange({ ...choice, alert: oneOf(RAISES, value) ?? choice.alert })}
        allowDeselect={false}
      />
      <Select
        label="Of the level"
        disabled={choice.alert === "never"}
        data={[...LEVELS]}
        value={choice.level}
        onChange={(value) => onChange({ ...choice, level: oneOf(LEVELS, value) ?? choice.level })}
        allowDeselect={false}
      />
    </div>
  );
}

/** Keeps a statement: in this browser, or in the service for everybody, which then runs it on a schedule. */
export function SaveDialog({
  sql,
  known,
  searches,
  onClose,
  onSaved,
}: {
  sql: string;
  known: Search | undefined;
  /** Those of the service: one of the same name would be replaced. */
  searches: Search[];
  onClose: () => void;
  onSaved: () => void;
}) {
  const mayReview = useMayReview();
  const [name, setName] = useState(known?.name ?? "");
  const [where, setWhere] = useState(mayReview && known ? "service" : "browser");
  const [choice, setChoice] = useState<Choice>({
    every: known?.every_minutes ?? null,
    alert: known?.alert ?? "never",
    level: known?.level ?? "medium",
  });
  const replaced = where === "service" ? searches.find((search) => search.name === name.trim()) : undefined;
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();

  const save = async () => {
    setBusy(true);
    setProblem(undefined);
    try {
      if (where === "browser") keepHere(name.trim(), sql);
      else
        await keepSearch(name.trim(), { sql, every_minutes: choice.every, alert: choice.alert, level: choice.level });
      onSaved();
      onClose();
    } catch (error) {
      setProblem(asProblem(error));
      setBusy(false);
    }
  };

  return (
    <Modal opened onClose={onClose} title="Save the search" closeButtonProps={{ "aria-label": "Close" }}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <TextInput
          label="Name"
          value={name}
          maxLength={100}
          onChange={(event) => setName(event.currentTarget.value)}
          data-autofocus
        />
        <Radio.Group label="Keep it" value={where} onChange={setWhere}>
          <div className="stack">
            <Radio value="browser" label="In this browser" />
            <Radio
              value="service"
              label="In the service, for everybody"
              description={mayReview ? "What is kept there is recorded" : "For reviewers and administrators"}
              disabled={!mayReview}
            />
          </div>
        </Radio.Group>
        {where === "service" && <Schedule choice={choice} onChange={setChoice} />}
        {replaced && (
          <div className="note" data-tone="denied" role="status">
            <strong>This replaces a search of everybody’s.</strong>
            <p className="quiet">
              {replaced.by} keeps it, {periodText(replaced.every_minutes)}, {RAISES_TEXT[replaced.alert].toLowerCase()}.
            </p>
          </div>
        )}
        {problem && <ProblemNote problem={problem} />}
        <div className="row end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={busy} disabled={name.trim() === ""}>
            Save
          </Button>
        </div>
      </form>
    </Modal>
  );
}
