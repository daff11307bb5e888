import { type ComponentType, lazy, Suspense, useEffect, useState } from "react";
import { onSignedOut } from "./api/client";
import { asProblem, type Problem } from "./api/problem";
import { Entity } from "./pages/Entity";
import { SignIn } from "./pages/SignIn";
import { Trail } from "./pages/Trail";
import { Empty, Loading, ProblemNote } from "./parts/Notice";
import { Page } from "./parts/Page";
import { Shell } from "./parts/Shell";
import { startCounting } from "./state/alerts";
import { loadSession, startWatch, useSession } from "./state/ledger";
import { navigate, usePath } from "./state/router";

const load = {
  "/": () => import("./pages/Overview"),
  "/alerts": () => import("./pages/Alerts"),
  "/review": () => import("./pages/Review"),
  "/overrides": () => import("./pages/Overrides"),
  "/sql": () => import("./pages/Sql"),
  "/integrity": () => import("./pages/Integrity"),
  "/access": () => import("./pages/Access"),
};

/** The page asked for first is fetched beside the session, not after it. */
const early = Object.entries(load).find(([path]) => path === location.pathname)?.[1];
void early?.();

const PAGES: Record<string, { title: string; page: ComponentType }> = {
  "/": { title: "Overview", page: lazy(load["/"]) },
  "/trail": { title: "Trail", page: Trail },
  "/entity": { title: "Entity", page: Entity },
  "/alerts": { title: "Alerts", page: lazy(load["/alerts"]) },
  "/review": { title: "Review", page: lazy(load["/review"]) },
  "/overrides": { title: "Overrides", page: lazy(load["/overrides"]) },
  "/sql": { title: "SQL", page: lazy(load["/sql"]) },
  "/integrity": { title: "Integrity", page: lazy(load["/integrity"]) },
  "/access": { title: "Access", page: lazy(load["/access"]) },
};

function NotFound() {
  return (
    <Page title="No such page">
      <Empty title="There is nothing at this address">
        <p className="quiet">Choose a page from the menu.</p>
      </Empty>
    </Page>
  );
}

function RecordsOnly() {
  return (
    <Page title="This token records">
      <Empty title="A writer records events and does not read them">
        <p className="quiet">
          Sign in with a token of a reader, an auditor or an administrator to see the ledger. Whoever runs it makes one
          with <code>counterfoil token create LEDGER --role auditor</code>.
        </p>
      </Empty>
    </Page>
  );
}

function goToSignIn(): void {
  if (location.pathname === "/sign-in") return;
  navigate(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
}

function SignedIn() {
  const path = usePath();
  const session = useSession();
  const [problem, setProblem] = useState<Problem>();
  const found = path.startsWith("/entity/") ? PAGES["/entity"] : PAGES[path];

  useEffect(() => {
    if (!session)
      loadSession().then(
        () => setProblem(undefined),
        (error: unknown) => setProblem(asProblem(error)),
      );
  }, [session]);

  useEffect(() => (session ? startWatch() : undefined), [session]);
  useEffect(() => (session ? startCounting(session) : undefined), [session]);

  useEffect(() => {
    document.title = `${found?.title ?? "Not found"} · Counterfoil`;
  }, [found]);

  if (!session) {
    return (
      <main className="sign-in">
        {problem && problem.status !== 401 ? (
          <ProblemNote problem={problem} onRetry={() => location.reload()} />
        ) : (
          <Loading what="the console" />
        )}
      </main>
    );
  }
  const mayRead = session.role !== "writer" || path === "/access";
  const Content = mayRead ? (found?.page ?? NotFound) : RecordsOnly;
  return (
    <Shell>
      <Suspense fallback={<Loading what="the page" />}>
        <Content key={path} />
      </Suspense>
    </Shell>
  );
}

export function App() {
  const path = usePath();
  useEffect(() => onSignedOut(goToSignIn), []);
  return path === "/sign-in" ? <SignIn /> : <SignedIn />;
}
