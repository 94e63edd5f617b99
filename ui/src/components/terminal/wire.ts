/** A message of an exec session; see ExecOutput in the api package. */
export interface ExecOutput {
  stdout?: { data?: string; close?: boolean };
  stderr?: { data?: string; close?: boolean };
  exited?: boolean;
  result?: { exit_code: number };
}
