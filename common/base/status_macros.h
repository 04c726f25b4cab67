// Early return for absl::Status and absl::StatusOr, and context added on the way up.
// Called from every room. Knows nothing but absl.
#ifndef DOVETAIL_COMMON_BASE_STATUS_MACROS_H_
#define DOVETAIL_COMMON_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace dovetail {

// The same code, the message prefixed "context: ". OK stays OK.
inline absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

}  // namespace dovetail

#define DOVETAIL_CONCAT_INNER(a, b) a##b
#define DOVETAIL_CONCAT(a, b) DOVETAIL_CONCAT_INNER(a, b)

#define RETURN_IF_ERROR(expression)                                         \
  do {                                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) return status_; \
  } while (false)

// As RETURN_IF_ERROR, with "context: " before the message.
#define RETURN_IF_ERROR_WITH(expression, context)           \
  do {                                                      \
    if (absl::Status status_ = (expression); !status_.ok()) \
      return ::dovetail::Annotate(status_, (context));      \
  } while (false)

#define ASSIGN_OR_RETURN(declaration, expression) \
  ASSIGN_OR_RETURN_IMPL(DOVETAIL_CONCAT(status_or_, __LINE__), declaration, expression)
#define ASSIGN_OR_RETURN_IMPL(temporary, declaration, expression) \
  auto temporary = (expression);                                  \
  if (!temporary.ok()) return temporary.status();                 \
  declaration = std::move(temporary).value()

#define ASSIGN_OR_RETURN_WITH(declaration, expression, context)                              \
  ASSIGN_OR_RETURN_WITH_IMPL(DOVETAIL_CONCAT(status_or_, __LINE__), declaration, expression, \
                             context)
#define ASSIGN_OR_RETURN_WITH_IMPL(temporary, declaration, expression, context)    \
  auto temporary = (expression);                                                   \
  if (!temporary.ok()) return ::dovetail::Annotate(temporary.status(), (context)); \
  declaration = std::move(temporary).value()

#endif  // DOVETAIL_COMMON_BASE_STATUS_MACROS_H_
