using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Qcow2.Engine;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Completion;

/// <summary>Completes the files that an image is layered on, read from the image that the command line names.</summary>
public sealed class ParentPathCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        string word = CompletionText.Unquote(wordToComplete);
        foreach (Qcow2ImageInfo parent in BoundImages.Read(fakeBoundParameters).SelectMany(Parents))
        {
            string name = System.IO.Path.GetFileName(parent.Path);
            bool isWanted = parent.Path.StartsWith(word, StringComparison.OrdinalIgnoreCase) || name.StartsWith(word, StringComparison.OrdinalIgnoreCase);
            if (isWanted && DisplayText.IsPrintable(parent.Path))
            {
                yield return new CompletionResult(
                    CompletionText.Quote(parent.Path), name, CompletionResultType.ParameterValue, $"{parent.Path}, {parent.Format}, {DisplayText.Size(parent.Size)}");
            }
        }
    }

    private static List<Qcow2ImageInfo> Parents(Qcow2ImageInfo image)
    {
        var parents = new List<Qcow2ImageInfo>();
        try
        {
            parents.AddRange(Qcow2ImageInfo.ReadChain(image.Path).Skip(1));
        }
        catch (Exception e) when (ErrorRecords.IsOfFile(e))
        {
            // A broken chain has no parents to offer.
        }

        return parents;
    }
}
