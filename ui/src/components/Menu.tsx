import * as Dropdown from "@radix-ui/react-dropdown-menu";
import type { ReactElement } from "react";
import { Icon, type IconName } from "./Icon";

export type MenuEntry =
  | { label: string; icon?: IconName; danger?: boolean; disabled?: boolean; checked?: boolean; act: () => void }
  | "line"
  | { caption: string };

/** A button that opens a list of actions. */
export function Menu({ entries, children, align = "end" }: { entries: MenuEntry[]; children: ReactElement; align?: "start" | "end" }) {
  return (
    <Dropdown.Root modal={false}>
      <Dropdown.Trigger asChild>{children}</Dropdown.Trigger>
      <Dropdown.Portal>
        <Dropdown.Content className="menu" align={align} sideOffset={4} collisionPadding={8}>
          {entries.map((e, i) => {
            if (e === "line") return <hr key={i} />;
            if ("caption" in e) return <Dropdown.Label key={i} className="caption">{e.caption}</Dropdown.Label>;
            const inner = (
              <>
                {e.icon && <Icon name={e.icon} />}
                <span className="grow cut">{e.label}</span>
                {e.checked === true && <Icon name="check" />}
              </>
            );
            if (e.checked !== undefined) {
              return (
                <Dropdown.CheckboxItem key={i} checked={e.checked} onSelect={e.act}>
                  {inner}
                </Dropdown.CheckboxItem>
              );
            }
            return (
              <Dropdown.Item key={i} className={e.danger ? "danger" : ""} disabled={e.disabled ?? false} onSelect={e.act}>
                {inner}
              </Dropdown.Item>
            );
          })}
        </Dropdown.Content>
      </Dropdown.Portal>
    </Dropdown.Root>
  );
}
