# Makes sequential.json: group-sequential boundaries and simulations of the R package rpact, for tests/analysis/test_sequential.py and
# verification/analysis/test_power_against_rpact.py.
#   Rscript sequential.R > sequential.json
suppressPackageStartupMessages(library(rpact))
number <- function(x) ifelse(is.na(x) | is.infinite(x), "null", formatC(x, digits = 12, format = "g"))
list_of <- function(x) paste0("[", paste(number(x), collapse = ", "), "]")
one <- function(name, rates, spending, parameter, beta_spending = "none", beta_parameter = NA, alpha = 0.025, power = 0.9) {
  args <- list(kMax = length(rates), informationRates = rates, alpha = alpha, beta = 1 - power, sided = 1, typeOfDesign = spending, tolerance = 1e-10)
  if (!is.na(parameter)) args$gammaA <- parameter
  if (beta_spending != "none") { args$typeBetaSpending <- beta_spending; args$bindingFutility <- FALSE; if (!is.na(beta_parameter)) args$gammaB <- beta_parameter }
  d <- do.call(getDesignGroupSequential, args)
  ch <- getDesignCharacteristics(d)
  sprintf('"%s": {"fractions": %s, "alpha": %s, "power": %s, "efficacy": %s, "futility": %s, "spent": %s, "inflation": %s, "shift": %s, "asn1": %s, "reject": %s}',
    name, list_of(rates), number(alpha), number(power), list_of(d$criticalValues), list_of(if (beta_spending == "none") numeric(0) else d$futilityBounds),
    list_of(d$alphaSpent), number(ch$inflationFactor), number(ch$shift), number(ch$averageSampleNumber1), list_of(ch$rejectionProbabilities))
}
thirds <- c(1, 2, 3) / 3
out <- c(
  one("obrien_fleming", thirds, "asOF", NA), one("obrien_fleming_uneven", c(0.2, 0.55, 0.8, 1), "asOF", NA, power = 0.8), one("pocock", thirds, "asP", NA),
  one("pocock_half", c(0.5, 1), "asP", NA, alpha = 0.05), one("hwang_shih_decani_-4", thirds, "asHSD", -4), one("hwang_shih_decani_1.5", c(0.3, 0.6, 1), "asHSD", 1.5),
  one("power_3", c(0.25, 0.5, 0.75, 1), "asKD", 3),
  one("obrien_fleming+obrien_fleming", thirds, "asOF", NA, "bsOF"), one("obrien_fleming+pocock", c(0.5, 0.75, 1), "asOF", NA, "bsP", power = 0.8),
  one("hwang_shih_decani_-4+hwang_shih_decani_-2", thirds, "asHSD", -4, "bsHSD", -2))

# Simulated survival trials, exponential: 400 patients, median 12 months in the control arm.
sim <- function(name, hr, design, planned, accrual, drop, n = 20000, seed = 5) {
  s <- getSimulationSurvival(design, plannedEvents = planned, hazardRatio = hr, median2 = 12, accrualTime = c(0, accrual), maxNumberOfSubjects = 400,
    dropoutRate1 = drop, dropoutRate2 = drop, dropoutTime = 12, maxNumberOfIterations = n, seed = seed, directionUpper = FALSE)
  sprintf('"%s": {"hr": %s, "planned": %s, "accrual": %s, "dropout": %s, "efficacy": %s, "iterations": %s, "power": %s, "reject": %s, "duration": %s, "analysis_time": %s}',
    name, number(hr), list_of(planned), number(accrual), number(drop), list_of(design$criticalValues), number(n), number(s$overallReject), list_of(s$rejectPerStage),
    number(s$studyDuration), list_of(s$analysisTime))
}
looks <- getDesignGroupSequential(kMax = 3, informationRates = thirds, alpha = 0.025, typeOfDesign = "asOF")
fixed <- getDesignGroupSequential(kMax = 1, alpha = 0.025)
sims <- c(sim("sim_fixed", 0.7, fixed, 250, 18, 0), sim("sim_looks", 0.7, looks, c(84, 168, 252), 18, 0.1), sim("sim_null", 1, looks, c(84, 168, 252), 18, 0.1),
  sim("sim_slow", 0.75, looks, c(84, 168, 252), 40, 0.05))
cat("{", paste(c(sprintf('"made_with": "R %s, rpact %s"', getRversion(), packageVersion("rpact")), out, sims), collapse = ",\n"), "}\n")
