package client

// Client is the node agent.
type Client struct{}
