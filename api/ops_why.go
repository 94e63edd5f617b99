package api

// Operations that tell why, and what if.
var (
	JobWhyOf        = read[JobReadRequest, *JobWhy]("Job.Why", "/v1/job/{id}/why", "read-job", NamespaceQuery)
	AllocationWhyOf = read[IDRequest, *AllocWhy]("Allocation.Why", "/v1/allocation/{id}/why", "read-job", NamespaceObject)
	JobsPlan        = search[JobsPlanRequest, JobsPlanResponse]("Jobs.Plan", "/v1/jobs/plan", "submit-job | plan-job")
)
