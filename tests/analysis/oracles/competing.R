# Makes competing.json: answers of R's survival package (Aalen-Johansen) on small data sets with ties, for tests/analysis/test_competing.py.
#   Rscript competing.R > competing.json
library(survival)

number <- function(x) ifelse(is.na(x), "null", formatC(x, digits = 12, format = "g"))
list_of <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")

set.seed(31)
random <- function(n, digits) {
  event <- rexp(n, 1 / 9)
  death <- rexp(n, 1 / 14)
  cut <- runif(n, 1, 24)
  time <- pmin(event, death, cut)
  data.frame(time = round(time + 0.1, digits), cause = ifelse(cut <= time, 0, ifelse(event <= death, 1, 2)))
}
by_hand <- data.frame(time = c(1, 2, 2, 3, 4, 5), cause = c(1, 2, 0, 1, 0, 2))
sets <- list(by_hand = by_hand, coarse = random(60, 0), fine = random(90, 2), everyone_leaves = subset(random(50, 0), cause > 0))

out <- c()
for (name in names(sets)) {
  d <- sets[[name]]
  fit <- survfit(Surv(time, factor(cause, 0:2)) ~ 1, data = d, conf.type = "log-log")
  fields <- c(
    sprintf('"time": %s', list_of(d$time)), sprintf('"cause": %s', list_of(d$cause)), sprintf('"times": %s', list_of(fit$time)),
    sprintf('"at_risk": %s', list_of(fit$n.risk[, 1])),
    sprintf('"incidence": %s', list_of(fit$pstate[, 2])), sprintf('"competing": %s', list_of(fit$pstate[, 3])),
    sprintf('"se": %s', list_of(fit$std.err[, 2])), sprintf('"lower": %s', list_of(fit$lower[, 2])), sprintf('"upper": %s', list_of(fit$upper[, 2])))
  out <- c(out, sprintf('"%s": {%s}', name, paste(fields, collapse = ", ")))
}
cat("{", paste(c(sprintf('"made_with": "R %s, survival %s"', getRversion(), packageVersion("survival")), out), collapse = ",\n"), "}\n")
