// Dialogs, menus and popovers. What they are made of (overlays.tsx) is loaded when the first one is opened: until then a button that looks
// the same stands in place of its trigger.
import { lazy, Suspense, useState, type ReactNode } from 'react';
import { Button } from './button.tsx';
import type { Icon } from './icons.tsx';
import { Problem } from './states.tsx';

const load = () => import('./overlays.tsx');
const preload = () => void load().catch(() => {}); // the click says that it failed

const LoadedDialog = lazy(async () => ({ default: (await load()).Dialog }));
const LoadedMenu = lazy(async () => ({ default: (await load()).Menu }));
const LoadedPopover = lazy(async () => ({ default: (await load()).PopoverButton }));

export type DialogProps = { title: string; onClose: () => void; children: ReactNode; wide?: boolean };

// A modal dialog, for as long as it is rendered.
export function Dialog(props: DialogProps) {
  return (
    <Suspense fallback={null}>
      <LoadedDialog {...props} />
    </Suspense>
  );
}

// Asks before something that cannot be undone. What goes wrong is shown in it, and it stays open.
export function Confirm({ title, children, action, stay = 'Cancel', danger = false, run, onClose }: { title: string; children: ReactNode; action: string; stay?: string; danger?: boolean; run: () => Promise<unknown>; onClose: () => void }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const go = async () => {
    setBusy(true);
    setError(null);
    try {
      await run();
      onClose();
    } catch (problem) {
      setError(problem as Error);
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <div className="dialog-body">{children}</div>
      <Problem error={error} />
      <footer>
        <Button onClick={onClose}>{stay}</Button>
        <Button kind={danger ? 'danger' : 'primary'} busy={busy} onClick={go}>
          {action}
        </Button>
      </footer>
    </Dialog>
  );
}

export type MenuEntry = { id: string; label: string; icon?: Icon; danger?: boolean; checked?: boolean; href?: string; download?: boolean; run?: () => void } | 'separator';
export type MenuProps = { label: string; trigger: ReactNode; entries: MenuEntry[] }; // the trigger's text is the button's name

// A button that opens a menu.
export function Menu(props: MenuProps) {
  const [opened, open] = useState(false);
  const plain = (
    <button type="button" className="button quiet menu-button" aria-haspopup="menu" aria-expanded={false} onPointerEnter={preload} onFocus={preload} onClick={() => open(true)}>
      {props.trigger}
    </button>
  );
  return opened ? (
    <Suspense fallback={plain}>
      <LoadedMenu {...props} />
    </Suspense>
  ) : (
    plain
  );
}

export type PopoverProps = { label: string; icon: Icon; children: (close: () => void) => ReactNode };

// A button that opens a small dialog beside it, such as a filter's.
export function PopoverButton(props: PopoverProps) {
  const [opened, open] = useState(false);
  const plain = (
    <Button icon={props.icon} aria-haspopup="dialog" aria-expanded={false} onPointerEnter={preload} onFocus={preload} onClick={() => open(true)}>
      {props.label}
    </Button>
  );
  return opened ? (
    <Suspense fallback={plain}>
      <LoadedPopover {...props} />
    </Suspense>
  ) : (
    plain
  );
}
