// A secret that is shown this once.
import { useRef, type ReactNode } from 'react';
import { copy } from '../lib/clipboard.ts';
import { Button } from './button.tsx';
import { Dialog } from './dialog.tsx';

export function SecretDialog({ title, what, secret, children, onClose }: { title: string; what: string; secret: string; children: ReactNode; onClose: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="dialog-body">
        <p className="warning">It is shown this once and kept nowhere: copy it now.</p>
        <p>{children}</p>
        <div className="secret-line">
          <input ref={field} type="text" readOnly aria-label={what} value={secret} onFocus={(event) => event.target.select()} autoComplete="off" spellCheck={false} />
          <Button kind="primary" autoFocus onClick={() => void copy(secret, what)}>
            Copy
          </Button>
        </div>
      </div>
      <footer>
        <Button onClick={onClose}>I have kept it</Button>
      </footer>
    </Dialog>
  );
}
