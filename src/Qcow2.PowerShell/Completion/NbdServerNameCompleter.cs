using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Completion;

/// <summary>Completes the names of the servers of this process.</summary>
public sealed class NbdServerNameCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        var pattern = WildcardPattern.Get(CompletionText.Unquote(wordToComplete) + "*", WildcardOptions.IgnoreCase);
        foreach (HostedNbdServer server in NbdServers.All)
        {
            if (pattern.IsMatch(server.Name) && DisplayText.IsPrintable(server.Name))
            {
                yield return new CompletionResult(CompletionText.Quote(server.Name), server.Name, CompletionResultType.ParameterValue, server.Describe().Uri);
            }
        }
    }
}
