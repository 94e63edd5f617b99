// Package identity keeps the signed identities of one task: it has the servers
// sign them, puts them into the files and variables that the job asks for, has
// them signed anew when half of their time is over, and tells the task then.
//
// Tokens are kept in memory and in the task's own files, and nowhere else: what
// is saved over a restart of the agent is when each is to be renewed.
//
// A step of client/steps calls it. A Manager with tokens that expire owns a
// goroutine from First to Stop.
package identity
