using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace Qcow2.PowerShell.Completion;

/// <summary>Completes the sizes that a cluster can have.</summary>
public sealed class ClusterSizeCompleter : IArgumentCompleter
{
    private const int MinBits = 9;
    private const int MaxBits = 21;

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        for (int bits = MinBits; bits <= MaxBits; bits++)
        {
            string size = bits < 10 ? $"{1 << bits}" : bits < 20 ? $"{1 << (bits - 10)}KB" : $"{1 << (bits - 20)}MB";
            if (size.StartsWith(CompletionText.Unquote(wordToComplete), StringComparison.OrdinalIgnoreCase))
            {
                yield return new CompletionResult(size, size, CompletionResultType.ParameterValue, $"Clusters of {DisplayText.Size(1 << bits)}");
            }
        }
    }
}
