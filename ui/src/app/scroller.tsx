import { createContext, useContext } from "react";

/** The element that a page scrolls in. */
export const ScrollerContext = createContext<HTMLElement | null>(null);
export const useScroller = (): HTMLElement | null => useContext(ScrollerContext);
