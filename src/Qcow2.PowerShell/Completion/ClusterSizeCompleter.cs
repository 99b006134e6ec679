using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;

namespace Qcow2.PowerShell.Completion;

/// <summary>Completes the sizes that a cluster can have, or a block of the format that is being asked for.</summary>
public sealed class ClusterSizeCompleter : IArgumentCompleter
{
    private const string NewImage = "New-Qcow2Image";

    private static readonly string[] FormatParameters = ["DestinationFormat", "Format"];

    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        (string unit, int[] sizes) = SizesOf(FormatOf(fakeBoundParameters, isNew: string.Equals(commandName, NewImage, StringComparison.OrdinalIgnoreCase)));
        foreach (int bits in sizes)
        {
            string size = bits < 10 ? $"{1 << bits}" : bits < 20 ? $"{1 << (bits - 10)}KB" : $"{1 << (bits - 20)}MB";
            if (size.StartsWith(CompletionText.Unquote(wordToComplete), StringComparison.OrdinalIgnoreCase))
            {
                yield return new CompletionResult(size, size, CompletionResultType.ParameterValue, $"{unit} of {DisplayText.Size(1 << bits)}");
            }
        }
    }

    private static (string Unit, int[] Bits) SizesOf(string? format) => format?.ToUpperInvariant() switch
    {
        "VHDX" => ("Blocks", [.. Enumerable.Range(20, 9)]),
        "VHD" => ("Blocks", [19, 21]),
        _ => ("Clusters", [.. Enumerable.Range(9, 13)]),
    };

    /// <summary>What was said of the format so far, by its name or by that of the file to be made.</summary>
    private static string? FormatOf(IDictionary bound, bool isNew)
    {
        string? path = bound[isNew ? "Path" : "DestinationPath"]?.ToString();
        string? named = path is not null && path.LastIndexOf('.') is >= 0 and int dot ? path.Substring(dot + 1) : null;
        return FormatParameters.Select(name => bound[name]?.ToString()).FirstOrDefault(value => value is not null) ?? named;
    }
}
