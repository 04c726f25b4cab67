// The tables of a report: the columns of front.csv and trials.csv, and their form for people.
#ifndef DOVETAIL_SERVICES_COORDINATOR_WEB_TABLES_H_
#define DOVETAIL_SERVICES_COORDINATOR_WEB_TABLES_H_

#include <string>

#include "services/coordinator/web/job_report.h"
#include "services/coordinator/web/table.h"

namespace dovetail::report {

// trial, state, accuracy, dsp, lut, ff, bram, latency_cycles, initiation_interval_cycles,
// estimated_critical_path_ns, latency_ns_at_target, timing, then one column per search variable.
// Numbers in full; what was not measured is empty.
Table FrontTable(const JobReport& report);
// One row for each design of each trial, one for a trial without designs.
Table TrialsTable(const JobReport& report);
// The same columns, "reference" in the place of "trial", the float network first.
Table ReferencesTable(const JobReport& report);

// Rounded and without empty columns, for the terminal and the page.
Table FrontForPeople(const JobReport& report);
Table ReferencesForPeople(const JobReport& report);

// The end of an exploration as it is printed: front, references, comparison.
std::string SummaryText(const JobReport& report);
// One sentence for each part of the comparison.
std::vector<std::string> ComparisonSentences(const JobReport& report);

// "83,500", "0.7634", "-92.3 %".
std::string Grouped(double count);
std::string Percent(double fraction);

}  // namespace dovetail::report

#endif  // DOVETAIL_SERVICES_COORDINATOR_WEB_TABLES_H_
