import { Suspense, useEffect, useState, type ReactNode } from 'react';
import { Link, Redirect, Route, Switch, useLocation } from 'wouter';
import icon from './icon.svg';
import { useQueryErrorResetBoundary } from '@tanstack/react-query';
import type { Feed, FeedState } from './api/feed.ts';
import { signOut, type Viewer } from './api/session.ts';
import { playgroundURL } from './base.ts';
import { announced } from './lib/announce.ts';
import { useHotkeys } from './lib/hotkeys.ts';
import { leave, leaving } from './lib/leave.ts';
import { useStore } from './lib/store.ts';
import { PauseBanner } from './pause/pause-banner.tsx';
import { chooseTheme, theme, type Theme } from './lib/theme.ts';
import { Confirm, Menu, type MenuEntry } from './ui/dialog.tsx';
import { Boundary } from './ui/boundary.tsx';
import { HelpDialog } from './ui/help.tsx';
import { HelpIcon, MenuIcon, MoonIcon, OutIcon, PlayIcon, SunIcon } from './ui/icons.tsx';
import { Empty, Failure, Loading } from './ui/states.tsx';
import { toast, Toasts } from './ui/toast.tsx';
import { mayView, views } from './views.tsx';

const inBar = 4; // views in the bar of a phone; the others are in its menu

export function Layout({ viewer, feed }: { viewer: Viewer; feed: Feed }) {
  const [path, navigate] = useLocation();
  const [help, setHelp] = useState(false);
  const seen = views.filter((view) => mayView(view, viewer.role));
  const { reset } = useQueryErrorResetBoundary();

  useHotkeys([
    ...seen.map(({ key, title, path }) => ({ keys: `g ${key}`, what: `Go to ${title}`, group: 'Everywhere', run: () => navigate(path) })),
    { keys: '?', what: 'Show the shortcuts', group: 'Everywhere', run: () => setHelp(true) },
  ]);

  return (
    <div className="layout">
      <a className="skip" href="#main" onClick={skip}>
        Skip to the content
      </a>
      <header className="sidebar">
        <div className="brand">
          <img src={icon} alt="" width="22" height="22" />
          <span>Rustbucket Alerts</span>
        </div>
        <nav aria-label="Views">
          <ul>
            {seen.map(({ path: to, title, icon: Icon }, index) => (
              <li key={to} className={index < inBar ? '' : 'not-in-bar'}>
                <Link href={to} className={(active) => (active || path.startsWith(`${to}/`) ? 'active' : '')} aria-current={path === to || path.startsWith(`${to}/`) ? 'page' : undefined}>
                  <Icon />
                  <span>{title}</span>
                </Link>
              </li>
            ))}
            <li className="in-bar-only">
              <ViewerMenu onHelp={() => setHelp(true)} trigger={<><MenuIcon /><span>More</span></>} more={seen.slice(inBar).map(({ path: to, title, icon }) => ({ id: to, label: title, icon, run: () => navigate(to) }))} />
            </li>
          </ul>
        </nav>
        <div className="foot">
          <LiveLine feed={feed} />
          <ViewerMenu
            onHelp={() => setHelp(true)}
            trigger={
              <span className="viewer">
                <span className="avatar" aria-hidden="true">{viewer.name.slice(0, 1).toUpperCase()}</span>
                <span className="viewer-name">{viewer.name}</span>
                <span className="role">{viewer.role}</span>
                <span className="hidden">: account and settings</span>
              </span>
            }
          />
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <PauseBanner />
        <Started feed={feed}>
          <Boundary key={path.split('/')[1]} onReset={reset}>
            <Suspense fallback={<Loading />}>
              <Switch>
                {seen.map(({ path: to, component: View }) => (
                  <Route key={to} path={`${to}/:id?`}>
                    {({ id }) => <View id={id === undefined ? undefined : decoded(id)} />}
                  </Route>
                ))}
                <Route path="/">
                  <Redirect to="/alerts" replace />
                </Route>
                <Route>
                  <Empty title="There is no such page">
                    <Link href="/alerts">To the alerts</Link>
                  </Empty>
                </Route>
              </Switch>
            </Suspense>
          </Boundary>
        </Started>
      </main>
      {help && <HelpDialog onClose={() => setHelp(false)} />}
      <LeaveQuestion />
      <Announcer />
      <Toasts />
    </div>
  );
}

const decoded = (id: string) => {
  try {
    return decodeURIComponent(id);
  } catch {
    return id;
  }
};

// Waits until the place in the feed is known: what the views read after that is brought up to date by it.
function Started({ feed, children }: { feed: Feed; children: ReactNode }) {
  const [started, setStarted] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  useEffect(() => {
    let gone = false;
    feed.start().then(
      () => gone || setStarted(true),
      (problem: Error) => gone || setError(problem),
    );
    return () => {
      gone = true;
    };
  }, [feed]);
  if (error) return <Failure error={error} onRetry={() => location.reload()} />;
  return started ? children : <Loading />;
}

const words: Record<FeedState['kind'], string> = {
  connecting: 'Connecting…',
  live: 'Live',
  'catching up': 'Catching up…',
  reconnecting: 'Reconnecting…',
  offline: 'Offline',
};

const explained: Record<FeedState['kind'], string> = {
  connecting: 'The first connection is being made.',
  live: 'What you see is what there is.',
  'catching up': 'Connected. What happened meanwhile is coming in.',
  reconnecting: 'The connection is lost. What you see may be old; what you miss comes in when the server is back.',
  offline: 'This device is offline. What you see may be old; what you miss comes in when it is back.',
};

// Whether what is shown is what there is.
export function LiveLine({ feed }: { feed: Feed }) {
  const { kind, behind } = useStore(feed.state);
  return (
    <div className={`live-line ${kind.replace(' ', '-')}`} role="status" title={explained[kind]}>
      <span className="dot" aria-hidden="true" />
      <span>
        {words[kind]}
        {behind >= 5000 && ` ${Math.round(behind / 1000)} s behind`}
      </span>
    </div>
  );
}

function ViewerMenu({ trigger, onHelp, more = [] }: { trigger: ReactNode; onHelp: () => void; more?: MenuEntry[] }) {
  const chosen = useStore(theme);
  const themed = (value: Theme, label: string, icon: typeof SunIcon): MenuEntry => ({ id: `theme-${value}`, label, icon, checked: chosen === value, run: () => chooseTheme(value) });
  const leave = () => signOut().catch((error: Error) => toast(`You are still signed in. ${error.message}`, true));
  return (
    <Menu
      label="Account and settings"
      trigger={trigger}
      entries={[
        ...more,
        ...(more.length > 0 ? (['separator'] as const) : []),
        { id: 'playground', label: 'Playground', icon: PlayIcon, href: playgroundURL() },
        { id: 'help', label: 'Keyboard shortcuts', icon: HelpIcon, run: onHelp },
        'separator',
        themed('system', 'Theme of the system', SunIcon),
        themed('light', 'Light theme', SunIcon),
        themed('dark', 'Dark theme', MoonIcon),
        'separator',
        { id: 'out', label: 'Sign out', icon: OutIcon, run: () => void leave() },
      ]}
    />
  );
}

function LeaveQuestion() {
  if (useStore(leaving) === null) return null;
  return (
    <Confirm title="Leave without saving?" action="Leave" stay="Stay" danger run={async () => leave()} onClose={() => leaving.set(null)}>
      <p>What you have changed in this form is lost.</p>
    </Confirm>
  );
}

function Announcer() {
  return (
    <div className="hidden" aria-live="polite" aria-atomic="true">
      {useStore(announced)}
    </div>
  );
}

// By hand: the router would take the fragment for a path of its own.
function skip(event: { preventDefault(): void }) {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
