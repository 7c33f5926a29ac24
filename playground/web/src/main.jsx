import './main.css';
import { lazy, StrictMode, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { createRoot } from 'react-dom/client';
import icon from './icon.svg';
import { cleanToken, enter, follow, forget, leave, onChange, Refused, signIn, signOut, whoIs } from './session.js';

const load = () => import('./explorer.jsx');
const Explorer = lazy(load);

const readme = 'https://github.com/rustbucket/alerts#readme';
const licenses = new URL('playground/licenses.md', document.baseURI).href;

const wrongToken = 'This token is not valid: it is mistyped, expired or revoked.';

const sessionOver =
  'The server no longer accepts your session: it has lasted 12 hours, or your token has expired or was revoked. Sign in again to go on.';
const again = 2000; // ms, until a server that did not answer is asked again

function App() {
  const [session, setSession] = useState(undefined); // undefined until it is known, then a stay, or null
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const [link, setLink] = useState('');

  // At the start, and when another tab has signed in or out.
  useEffect(() => {
    let timer;
    let asked = 0;
    const look = async () => {
      const turn = ++asked;
      clearTimeout(timer);
      try {
        const viewer = await whoIs();
        if (turn !== asked) return;
        setProblem('');
        setSession(follow(viewer));
      } catch (error) {
        if (turn !== asked) return;
        setProblem(error.message);
        timer = setTimeout(look, again);
      }
    };
    look();
    load(); // meanwhile, so that it is there after signing in
    const stop = onChange(look);
    return () => {
      stop();
      asked++; // what is under way comes too late
      clearTimeout(timer);
    };
  }, []);

  const onEnter = useCallback(async (token) => {
    setBusy(true);
    setProblem('');
    try {
      setSession(enter(await signIn(token)));
    } catch (error) {
      setProblem(error instanceof Refused ? wrongToken : error.message);
    } finally {
      setBusy(false);
    }
  }, []);

  const onExit = useCallback(async () => {
    try {
      await signOut();
    } catch (error) {
      setProblem(`You are still signed in. ${error.message}`); // the cookie is there, and only the server can take it away
      return;
    }
    forget();
    setSession(null);
    setProblem('');
  }, []);

  const onRefused = useCallback(() => {
    leave();
    setSession(null);
    setProblem(sessionOver);
  }, []);

  return (
    <>
      <header className="bar">
        <span className="brand">
          <img src={icon} alt="" width="22" height="22" />
          <h1>Rustbucket Alerts</h1>
          <a href={readme} target="_blank" rel="noreferrer">
            README
          </a>
        </span>
        {session && <Account viewer={session.viewer} link={link} problem={problem} onSignOut={onExit} />}
        {session === null && <SignIn busy={busy} problem={problem} onSubmit={onEnter} />}
        {session === undefined && <Problem>{problem}</Problem>}
      </header>
      <main>
        {session && (
          <Suspense fallback={<p className="note">Loading…</p>}>
            <Explorer key={session.id} stay={session.id} onRefused={onRefused} onLink={setLink} />
          </Suspense>
        )}
        {session === null && <Welcome />}
      </main>
    </>
  );
}

function Problem({ children }) {
  return (
    <p id="problem" role="alert" className="problem">
      {children}
    </p>
  );
}

function SignIn({ busy, problem, onSubmit }) {
  const field = useRef(null);
  const [empty, setEmpty] = useState(false);
  useEffect(() => {
    if (problem) field.current.select();
  }, [problem]);
  const message = empty ? 'Enter a token first.' : problem;

  const submit = (event) => {
    event.preventDefault();
    const token = cleanToken(field.current.value);
    setEmpty(token === '');
    if (token) onSubmit(token);
    else field.current.focus();
  };
  return (
    <form className="account" method="post" onSubmit={submit}>
      <Problem>{message}</Problem>
      <label htmlFor="token">Token</label>
      <input
        id="token"
        ref={field}
        type="password"
        autoComplete="off"
        autoCapitalize="off"
        spellCheck="false"
        autoFocus
        aria-invalid={message !== ''}
        aria-describedby="problem"
      />
      <button type="submit" disabled={busy}>
        {busy ? 'Signing in…' : 'Sign in'}
      </button>
    </form>
  );
}

const links = { live: 'Live', reconnecting: 'Connection lost, trying again…' };

function Account({ viewer, link, problem, onSignOut }) {
  return (
    <div className="account">
      <Problem>{problem}</Problem>
      <span role="status" className={`link ${link}`}>
        {links[link]}
      </span>
      <span className="viewer">
        {viewer.name} <span className="role">{viewer.role}</span>
      </span>
      <button type="button" onClick={onSignOut}>
        Sign out
      </button>
    </div>
  );
}

function Welcome() {
  return (
    <div className="welcome">
      <h2>Playground</h2>
      <p>
        Try the GraphQL API here: queries, mutations and live subscriptions, with the whole schema described. Sign in with
        a token to begin.
      </p>
      <dl>
        <dt>No token yet?</dt>
        <dd>
          The server prints an admin token once, on its very first start; <code>ADMIN_TOKEN</code> in its environment sets
          one.
        </dd>
        <dt>Somebody else, or another role?</dt>
        <dd>
          On the server: <code>alerts token create --name NAME --role VIEWER</code>
        </dd>
        <dt>What is kept?</dt>
        <dd>
          What you type, in this browser tab alone, until you close it or sign out. The token is kept nowhere: in its place the
          browser gets a cookie that no script can read. It ends after 12 hours, when you sign out, and with the token.
        </dd>
      </dl>
      <p className="small">
        Docs: <a href={readme}>README</a> · <a href={licenses}>Licenses</a> of the parts of this page
      </p>
    </div>
  );
}

createRoot(document.getElementById('root')).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
