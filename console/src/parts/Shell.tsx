import { ActionIcon, SegmentedControl, Tooltip, useMantineColorScheme } from "@mantine/core";
import { type ReactNode, useEffect, useRef } from "react";
import type { Role } from "../api/types";
import { useOpenAlerts } from "../state/alerts";
import { signOut, useSession } from "../state/ledger";
import { navigate, usePath } from "../state/router";
import { useZone, zoneStore } from "../state/settings";
import { grouped } from "../text/number";
import { zoneName } from "../text/time";
import { Alarm } from "./Alarm";
import { Icon, type IconName, Mark } from "./Icon";
import { Link } from "./Link";
import { SealNote } from "./SealNote";
import { Text } from "./Text";

const PLACES: { href: string; name: string; icon: IconName }[] = [
  { href: "/", name: "Overview", icon: "overview" },
  { href: "/trail", name: "Trail", icon: "trail" },
  { href: "/alerts", name: "Alerts", icon: "alerts" },
  { href: "/review", name: "Review", icon: "review" },
  { href: "/overrides", name: "Overrides", icon: "overrides" },
  { href: "/sql", name: "SQL", icon: "sql" },
  { href: "/integrity", name: "Integrity", icon: "integrity" },
  { href: "/access", name: "Access", icon: "access" },
];

const SCHEMES = { auto: "light", light: "dark", dark: "auto" } as const;
const SCHEME_NAMES = { auto: "as the system", light: "light", dark: "dark" } as const;

function SchemeSwitch() {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const next = SCHEMES[colorScheme];
  const label = `Colours: ${SCHEME_NAMES[colorScheme]}. Change to ${SCHEME_NAMES[next]}`;
  return (
    <Tooltip label={label}>
      <ActionIcon variant="default" aria-label={label} onClick={() => setColorScheme(next)}>
        <Icon name={colorScheme === "auto" ? "system" : colorScheme} />
      </ActionIcon>
    </Tooltip>
  );
}

function ZoneSwitch() {
  const zone = useZone();
  return (
    <SegmentedControl
      size="xs"
      aria-label="Time zone in which times are shown"
      value={zone}
      onChange={(value) => zoneStore.set(value === "local" ? "local" : "utc")}
      data={[
        { value: "utc", label: "UTC" },
        { value: "local", label: <span title={zoneName("local")}>Local</span> },
      ]}
    />
  );
}

function Who() {
  const session = useSession();
  if (!session) return null;
  const leave = () => {
    void signOut().finally(() => navigate("/sign-in"));
  };
  return (
    <div className="who">
      <Text>{session.name}</Text> <span className="tag">{session.role}</span>
      <br />
      <button type="button" className="linkish" onClick={leave}>
        Sign out
      </button>
    </div>
  );
}

/** A writer reads nothing: of all pages only its own access answers it. */
function placesOf(role: Role | undefined) {
  return role === "writer" ? PLACES.filter(({ href }) => href === "/access") : PLACES;
}

function OpenCount() {
  const open = useOpenAlerts();
  if (open === "failed") {
    return (
      <span className="count">
        <Icon name="warn" label="cannot be counted" />
      </span>
    );
  }
  if (!open || open.count === 0) return null;
  return (
    <span className="count">
      {grouped(open.count)}
      <span className="visually-hidden"> open</span>
    </span>
  );
}

export function Shell({ children }: { children: ReactNode }) {
  const path = usePath();
  const session = useSession();
  const main = useRef<HTMLElement>(null);
  const shown = useRef(path);
  useEffect(() => {
    if (shown.current !== path) main.current?.focus({ preventScroll: true });
    shown.current = path;
  }, [path]);
  const current = path.startsWith("/entity/") ? "/trail" : path;
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <aside className="side">
        <Link href="/" className="wordmark">
          <Mark />
          Counterfoil
        </Link>
        <nav className="nav" aria-label="Pages">
          {placesOf(session?.role).map(({ href, name, icon }) => (
            <Link key={href} href={href} aria-current={current === href ? "page" : undefined}>
              <Icon name={icon} />
              {name}
              {href === "/alerts" && <OpenCount />}
            </Link>
          ))}
        </nav>
        <div className="side-foot">
          <SealNote />
          <div className="switches">
            <ZoneSwitch />
            <SchemeSwitch />
          </div>
          <Who />
        </div>
      </aside>
      <main className="main" id="main" tabIndex={-1} ref={main}>
        <Alarm />
        {children}
      </main>
    </div>
  );
}
