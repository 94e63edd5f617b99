/** An event as the stream has it. The payload holds the object under its type's name. */
export interface LiveEvent {
  Topic: string;
  Type: string;
  Key: string;
  Namespace?: string;
  FilterKeys: string[] | null;
  Index: number;
  Payload: Record<string, unknown>;
}

/** The events of one index. */
export interface EventBatch {
  Index: number;
  Events: LiveEvent[];
}

/** The job that an event is about; empty when it is about none. */
export function jobOf(e: LiveEvent): string {
  if (e.Topic === "Job") return e.Key;
  const object = e.Payload[e.Topic] as { JobID?: string } | undefined;
  return object?.JobID ?? "";
}
