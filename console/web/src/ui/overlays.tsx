// Dialogs and menus with React Aria, which keeps the focus, closes on Escape and tells screen readers. They are loaded when the first one is
// opened: use them through dialog.tsx.
import { useRef } from 'react';
import { Dialog as AriaDialog, DialogTrigger, Heading, Menu as AriaMenu, MenuItem, MenuTrigger, Modal, ModalOverlay, Popover, Button as AriaButton, Separator } from 'react-aria-components';
import { IconButton } from './button.tsx';
import type { DialogProps, MenuProps, PopoverProps } from './dialog.tsx';
import { CloseIcon } from './icons.tsx';

export function Dialog({ title, onClose, children, wide = false }: DialogProps) {
  // A click beside it is no way to lose what somebody has typed into it.
  const typed = useRef(false);
  const watch = (box: HTMLElement | null) => {
    const note = () => void (typed.current = true);
    box?.addEventListener('input', note);
    return () => box?.removeEventListener('input', note);
  };
  return (
    <ModalOverlay className="overlay" isOpen isDismissable shouldCloseOnInteractOutside={() => !typed.current} onOpenChange={(open) => !open && onClose()}>
      <Modal ref={watch} className={wide ? 'modal wide' : 'modal'}>
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

export function Menu({ label, trigger, entries }: MenuProps) {
  return (
    <MenuTrigger defaultOpen>
      <AriaButton className="button quiet menu-button">
        {trigger}
      </AriaButton>
      <Popover className="popover">
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
                {...(entry.href && (entry.download ? { href: entry.href, download: '' } : { href: entry.href, target: '_blank' }))}
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

export function PopoverButton({ label, icon: Icon, children }: PopoverProps) {
  return (
    <DialogTrigger defaultOpen>
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
