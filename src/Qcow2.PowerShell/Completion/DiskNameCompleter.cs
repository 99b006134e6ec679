using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Completion;

/// <summary>Completes the names of the disks in an OVA, read from the file that the command line names.</summary>
public sealed class DiskNameCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        var pattern = WildcardPattern.Get(CompletionText.Unquote(wordToComplete) + "*", WildcardOptions.IgnoreCase);
        foreach (string name in BoundImages.ReadDiskNames(fakeBoundParameters).Where(name => DisplayText.IsPrintable(name) && pattern.IsMatch(name)))
        {
            yield return new CompletionResult(CompletionText.Quote(name), name, CompletionResultType.ParameterValue, name);
        }
    }
}
