import { Dialog } from "../components/Dialog";
import { hotkeys } from "./hotkeys";

export default function Shortcuts({ onClose }: { onClose: () => void }) {
  const seen = new Set<string>();
  const list = hotkeys().filter((h) => !seen.has(h.keys) && seen.add(h.keys));
  return (
    <Dialog title="Keyboard shortcuts" open onClose={onClose} wide>
      <div className="shortcuts">
        <div>
          <span>Search everything</span>
          <Keys keys="⌘/Ctrl K" />
        </div>
        {list.map((h) => (
          <div key={h.keys}>
            <span>{h.text}</span>
            <Keys keys={h.keys} />
          </div>
        ))}
      </div>
    </Dialog>
  );
}

function Keys({ keys }: { keys: string }) {
  return (
    <span className="row">
      {keys.split(" ").map((k, i) => (
        <kbd key={i} className="kbd">
          {k}
        </kbd>
      ))}
    </span>
  );
}
