// report.html: one page that needs nothing from outside. Pure; the same report gives the same
// bytes.
#ifndef DOVETAIL_SERVICES_COORDINATOR_WEB_HTML_REPORT_H_
#define DOVETAIL_SERVICES_COORDINATOR_WEB_HTML_REPORT_H_

#include <string>

#include "services/coordinator/web/job_report.h"

namespace dovetail::report {

// Comparison, scatter of accuracy over LUTs, best so far over the trials, front, references, flow,
// where each number comes from, versions.
std::string HtmlReport(const JobReport& report);

}  // namespace dovetail::report

#endif  // DOVETAIL_SERVICES_COORDINATOR_WEB_HTML_REPORT_H_
