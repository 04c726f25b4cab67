// Ctrl-C and SIGTERM as a flag that long steps ask.
#ifndef DOVETAIL_SERVICES_CLI_INTERRUPT_H_
#define DOVETAIL_SERVICES_CLI_INTERRUPT_H_

namespace dovetail::cli {

// From here on SIGINT and SIGTERM set the flag and nothing else.
void CatchInterrupts();
bool Interrupted();

}  // namespace dovetail::cli

#endif  // DOVETAIL_SERVICES_CLI_INTERRUPT_H_
