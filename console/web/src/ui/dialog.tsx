// Dialogs and menus: React Aria keeps the focus, closes on Escape and tells screen readers.
import { useState, type ReactNode } from 'react';
import { Dialog as AriaDialog, DialogTrigger, Heading, Menu as AriaMenu, MenuItem, MenuTrigger, Modal, ModalOverlay, Popover, Button as AriaButton, Separator } from 'react-aria-components';
import { Button, IconButton } from './button.tsx';
import { CloseIcon, type Icon } from './icons.tsx';
import { Problem } from './states.tsx';

export function Dialog({ title, onClose, children, wide = false }: { title: string; onClose: () => void; children: ReactNode; wide?: boolean }) {
  return (
    <ModalOverlay className="overlay" isOpen isDismissable onOpenChange={(open) => !open && onClose()}>
      <Modal className={wide ? 'modal wide' : 'modal'}>
        <AriaDialog className="dialog">
          <header>
            <Heading slot="title">{title}</Heading>
            <IconButton label="Close" icon={CloseIcon} onClick={onClose} />
          </header>
          {children}
        </AriaDialog>
      </Modal>
    </ModalOverlay>
  );
}

// Asks before something that cannot be undone. What goes wrong is shown in it, and it stays open.
export function Confirm({ title, children, action, danger = false, run, onClose }: { title: string; children: ReactNode; action: string; danger?: boolean; run: () => Promise<unknown>; onClose: () => void }) {
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
        <Button onClick={onClose}>Cancel</Button>
        <Button kind={danger ? 'danger' : 'primary'} busy={busy} onClick={go}>
          {action}
        </Button>
      </footer>
    </Dialog>
  );
}

export type MenuEntry = { id: string; label: string; icon?: Icon; danger?: boolean; checked?: boolean; href?: string; run?: () => void } | 'separator';

export function Menu({ label, trigger, entries, header }: { label: string; trigger: ReactNode; entries: MenuEntry[]; header?: ReactNode }) {
  return (
    <MenuTrigger>
      <AriaButton className="button quiet menu-button" aria-label={label}>
        {trigger}
      </AriaButton>
      <Popover className="popover">
        {header}
        <AriaMenu className="menu" aria-label={label}>
          {entries.map((entry, index) =>
            entry === 'separator' ? (
              <Separator key={index} />
            ) : (
              <MenuItem
                key={entry.id}
                id={entry.id}
                textValue={entry.label}
                className={entry.danger ? 'menu-item danger' : 'menu-item'}
                {...(entry.href && { href: entry.href, target: '_blank' })}
                {...(entry.run && { onAction: entry.run })}
              >
                {entry.icon ? <entry.icon /> : <span className="no-icon" />}
                <span>{entry.label}</span>
                {entry.checked && <span className="checked" aria-label="chosen">✓</span>}
              </MenuItem>
            ),
          )}
        </AriaMenu>
      </Popover>
    </MenuTrigger>
  );
}

// A button with a small dialog beside it, such as a filter's.
export function PopoverButton({ label, icon: Icon, children }: { label: string; icon: Icon; children: (close: () => void) => ReactNode }) {
  return (
    <DialogTrigger>
      <AriaButton className="button plain">
        <Icon />
        <span>{label}</span>
      </AriaButton>
      <Popover className="popover">
        <AriaDialog className="dialog" aria-label={label}>
          {({ close }) => children(close)}
        </AriaDialog>
      </Popover>
    </DialogTrigger>
  );
}
