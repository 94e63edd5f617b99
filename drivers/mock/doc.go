// Package mock is mock_driver: tasks that run no process but behave as their configuration asks, for tests of everything around drivers.
//
// A task costs one timer. It is not for production, and holds no promise across a restart of its host but one: a recovered task goes on until
// the moment it would have ended.
package mock
