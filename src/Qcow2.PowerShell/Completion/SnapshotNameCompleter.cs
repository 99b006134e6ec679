using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Qcow2.Engine;
using Qcow2.PowerShell.Commands;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Completion;

/// <summary>Completes the names of an image's snapshots, read from the image that the command line names.</summary>
public sealed class SnapshotNameCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        bool isDifference = parameterName.StartsWith("Difference", StringComparison.OrdinalIgnoreCase);
        IDictionary images = isDifference
            ? new Hashtable { [nameof(ImageCmdlet.LiteralPath)] = fakeBoundParameters[nameof(CompareQcow2ImageCommand.DifferencePath)] }
            : fakeBoundParameters;
        return Complete(parameterName, wordToComplete, BoundImages.Read(images).SelectMany(image => image.Snapshots));
    }

    private static IEnumerable<CompletionResult> Complete(string parameterName, string word, IEnumerable<Qcow2Snapshot> snapshots)
    {
        List<Qcow2Snapshot> all = [.. snapshots];
        bool wantsId = parameterName.EndsWith("Id", StringComparison.OrdinalIgnoreCase);
        var pattern = WildcardPattern.Get(CompletionText.Unquote(word) + "*", WildcardOptions.IgnoreCase);
        foreach (Qcow2Snapshot snapshot in all)
        {
            // A name that is not unique, or that a terminal would not show as it is, does not say which one; its id does.
            bool isUnique = SnapshotSelector.Meant(all, snapshot.Name).Count == 1;
            string value = wantsId || !isUnique || !DisplayText.IsPrintable(snapshot.Name) ? snapshot.Id : snapshot.Name;
            if ((pattern.IsMatch(value) || pattern.IsMatch(snapshot.Name)) && DisplayText.IsPrintable(value) && value.Length > 0)
            {
                yield return new CompletionResult(CompletionText.Quote(value), value, CompletionResultType.ParameterValue, Describe(snapshot));
            }
        }
    }

    private static string Describe(Qcow2Snapshot snapshot)
        => $"{DisplayText.Printable(snapshot.Name)} (id {DisplayText.Printable(snapshot.Id)}), {snapshot.CreationTime:g}, {DisplayText.Size(snapshot.DiskSize)}";
}
