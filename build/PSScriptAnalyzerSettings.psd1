@{
    Severity     = @('Error', 'Warning')
    ExcludeRules = @(
        'PSAvoidUsingWriteHost'                 # build.ps1 speaks to a person.
        'PSReviewUnusedParameter'               # It does not see the functions of a script use the script's parameters.
        'PSUseShouldProcessForStateChangingFunctions'
        'PSUseBOMForUnicodeEncodedFile'         # Only scripts that PowerShell 7 runs have other characters than ASCII.
        'PSAvoidGlobalVars'                     # Completion sees global variables only.
        'PSUseDeclaredVarsMoreThanAssignments'  # Pester's blocks share variables that the rule cannot follow.
        'PSAvoidUsingConvertToSecureStringWithPlainText' # The passphrases of test images are no secrets.
    )
}
