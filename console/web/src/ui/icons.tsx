// Icons, 16 by 16, in the colour of the text. They stand beside words, or within something that has a label.
import type { ReactNode, SVGProps } from 'react';

export type Icon = (props: SVGProps<SVGSVGElement>) => ReactNode;

const make =
  (children: ReactNode): Icon =>
  (props) => (
    <svg
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.5"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      {...props}
    >
      {children}
    </svg>
  );

export const BellIcon = make(<path d="M8 2a4 4 0 0 0-4 4v2.5L2.7 11h10.6L12 8.5V6a4 4 0 0 0-4-4ZM6.5 13.5a1.6 1.6 0 0 0 3 0" />);
export const ChannelIcon = make(<path d="M2.5 6.5v3h2l4 3v-9l-4 3ZM11 5.5a3.5 3.5 0 0 1 0 5M12.8 3.5a6.3 6.3 0 0 1 0 9" />);
export const DeliveryIcon = make(<path d="M14 2 7 9M14 2l-4.5 12L7 9 2 6.5Z" />);
export const ChartIcon = make(<path d="M2.5 13.5h11M4.5 11V8M8 11V3.5M11.5 11V6" />);
export const MoonIcon = make(<path d="M13.5 9.5A6 6 0 0 1 6.5 2.5a5.7 5.7 0 1 0 7 7Z" />);
export const SunIcon = make(
  <>
    <circle cx="8" cy="8" r="2.8" />
    <path d="M8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7" />
  </>,
);
export const SilenceIcon = make(<path d="M4 6a4 4 0 0 1 7-2.6M12 6.5v2L13.3 11H6M2.7 11 4 8.5M6.5 13.5a1.6 1.6 0 0 0 3 0M2 2l12 12" />);
export const ServerIcon = make(
  <>
    <rect x="2" y="3" width="12" height="4" rx="1" />
    <rect x="2" y="9" width="12" height="4" rx="1" />
    <path d="M4.5 5h.01M4.5 11h.01" />
  </>,
);
export const KeyIcon = make(
  <>
    <circle cx="5" cy="11" r="2.5" />
    <path d="m7 9 6-6M10.5 5.5l2 2M13 3l1 1" />
  </>,
);
export const LogIcon = make(<path d="M5.5 4h8M5.5 8h8M5.5 12h8M2.5 4h.01M2.5 8h.01M2.5 12h.01" />);
export const SearchIcon = make(
  <>
    <circle cx="7" cy="7" r="4.5" />
    <path d="m10.5 10.5 3 3" />
  </>,
);
export const FilterIcon = make(<path d="M2 3.5h12M4.5 8h7M6.5 12.5h3" />);
export const CloseIcon = make(<path d="m4 4 8 8M12 4l-8 8" />);
export const CheckIcon = make(<path d="m3 8.5 3.5 3.5L13 4.5" />);
export const EyeIcon = make(
  <>
    <path d="M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Z" />
    <circle cx="8" cy="8" r="1.8" />
  </>,
);
export const PersonIcon = make(
  <>
    <circle cx="8" cy="5" r="2.7" />
    <path d="M2.8 14a5.2 5.2 0 0 1 10.4 0" />
  </>,
);
export const CommentIcon = make(<path d="M2.5 3h11v8h-6l-3 2.5V11h-2Z" />);
export const ReopenIcon = make(<path d="M3 8a5 5 0 1 0 1.5-3.5L3 6M3 2.5V6h3.5" />);
export const RetryIcon = make(<path d="M13 8a5 5 0 1 1-1.5-3.5L13 6M13 2.5V6H9.5" />);
export const LinkIcon = make(<path d="M6.5 9.5a2.5 2.5 0 0 0 3.6 0l2.4-2.4a2.5 2.5 0 0 0-3.6-3.6l-.8.8M9.5 6.5a2.5 2.5 0 0 0-3.6 0L3.5 8.9a2.5 2.5 0 0 0 3.6 3.6l.8-.8" />);
export const TrashIcon = make(<path d="M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.7 9h6.6l.7-9" />);
export const PlayIcon = make(<path d="M4.5 3v10l8-5Z" />);
export const MoreIcon = make(<path d="M3.5 8h.01M8 8h.01M12.5 8h.01" strokeWidth="2.2" />);
export const MenuIcon = make(<path d="M2 4h12M2 8h12M2 12h12" />);
export const HelpIcon = make(
  <>
    <circle cx="8" cy="8" r="6" />
    <path d="M6.2 6.3A1.8 1.8 0 1 1 8 8.3v.8M8 11.5h.01" />
  </>,
);
export const OutIcon = make(<path d="M6.5 2.5h-4v11h4M6.5 8h7.5M11 5l3 3-3 3" />);
export const BackIcon = make(<path d="M13 8H3M7 4 3 8l4 4" />);
export const UpIcon = make(<path d="M8 13V3M4 7l4-4 4 4" />);
export const DownloadIcon = make(<path d="M8 2.5v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11" />);
export const ClockIcon = make(
  <>
    <circle cx="8" cy="8" r="6" />
    <path d="M8 4.5V8l2.5 1.5" />
  </>,
);
export const PlusIcon = make(<path d="M8 3v10M3 8h10" />);
