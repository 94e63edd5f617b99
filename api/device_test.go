package api

import (
	"encoding/json"
	"strings"
	"testing"
)

func decodeDevice(t *testing.T, device string) (*Job, error) {
	t.Helper()
	j := &Job{}
	err := json.Unmarshal([]byte(`{"ID":"a","TaskGroups":[{"Name":"g","Tasks":[{"Name":"t","Driver":"exec","Resources":{"Devices":[`+device+`]}}]}]}`), j)
	return j, err
}

// TestDeviceShares: a count below 1 is a share of one device, and its JSON form
// keeps a whole count and is read as the same.
func TestDeviceShares(t *testing.T) {
	for device, want := range map[string]RequestedDevice{
		`{"Name":"gpu"}`:                          {Name: "gpu", Count: 1},
		`{"Name":"gpu","Count":2}`:                {Name: "gpu", Count: 2},
		`{"Name":"gpu","Count":2.0}`:              {Name: "gpu", Count: 2},
		`{"Name":"gpu","Count":0.25}`:             {Name: "gpu", Count: 1, Share: 0.25},
		`{"Name":"gpu","count":0.001}`:            {Name: "gpu", Count: 1, Share: 0.001},
		`{"Name":"gpu","Count":1,"Share":0.333}`:  {Name: "gpu", Count: 1, Share: 0.333},
		`{"Name":"gpu","Count":1,"Share":0}`:      {Name: "gpu", Count: 1},
		`{"Name":"gpu","Count":null,"Share":0.5}`: {Name: "gpu", Count: 1, Share: 0.5},
	} {
		j, err := decodeDevice(t, device)
		if err != nil {
			t.Errorf("%s: %v", device, err)
			continue
		}
		if problems := j.Validate(ValidateLimits{}); strings.Contains(problems.Error(), "device") {
			t.Errorf("%s: %v", device, problems)
		}
		got := j.TaskGroups[0].Tasks[0].Resources.Devices[0]
		if got.Name != want.Name || got.Count != want.Count || got.Share != want.Share {
			t.Errorf("%s: %+v", device, got)
		}
		out, err := json.Marshal(got)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeDevice(t, string(out))
		if err != nil || again.TaskGroups[0].Tasks[0].Resources.Devices[0].Share != want.Share {
			t.Errorf("%s is %s, which is not read as the same: %v", device, out, err)
		}
	}
}

func TestDeviceCountsThatAreRefused(t *testing.T) {
	for device, want := range map[string]string{
		`{"Name":"gpu","Count":1.5}`:             "must be a whole number, or above 0 and below 1 for a part of one device, not 1.5",
		`{"Name":"gpu","Count":0.0005}`:          "must be a part in steps of 0.001",
		`{"Name":"gpu","Count":0.9999}`:          "must be a part in steps of 0.001",
		`{"Name":"gpu","Count":0}`:               "must be at least 1",
		`{"Name":"gpu","Count":-1}`:              "out of range",
		`{"Name":"gpu","Count":-0.5}`:            "must be a whole number",
		`{"Name":"gpu","Count":1e400}`:           "must be a whole number",
		`{"Name":"gpu","Count":"many"}`:          "must be a whole number",
		`{"Name":"gpu","Count":2,"Share":0.5}`:   "a part is of one device",
		`{"Name":"gpu","Share":1.5}`:             "must be a whole number, or above 0",
		`{"Name":"gpu","Share":"half"}`:          "must be a number",
		`{"Name":"gpu","Count":1,"Share":-0.25}`: "must be a whole number, or above 0",
	} {
		j, err := decodeDevice(t, device)
		text := ""
		if err != nil {
			text = err.Error()
		} else {
			text = j.Validate(ValidateLimits{}).Error()
		}
		if !strings.Contains(text, want) {
			t.Errorf("%s: %s", device, text)
		}
	}
}
