using System.Collections;
using System.Management.Automation;
using System.Management.Automation.Language;
using Qcow2.Engine;
using Qcow2.PowerShell.Commands;
using Qcow2.PowerShell.Infrastructure;

namespace Qcow2.PowerShell.Completion;

/// <summary>Completes the names of an image's bitmaps, read from the image that the command line names.</summary>
public sealed class BitmapNameCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        var pattern = WildcardPattern.Get(CompletionText.Unquote(wordToComplete) + "*", WildcardOptions.IgnoreCase);
        object? source = parameterName == nameof(MergeQcow2BitmapCommand.SourceBitmapName) ? fakeBoundParameters[nameof(MergeQcow2BitmapCommand.SourcePath)] : null;
        IDictionary images = source is null ? fakeBoundParameters : new Hashtable { [nameof(ImageCmdlet.LiteralPath)] = source };
        foreach (Qcow2Bitmap bitmap in BoundImages.Read(images).SelectMany(image => image.Bitmaps))
        {
            if (bitmap.Name.Length > 0 && pattern.IsMatch(bitmap.Name) && DisplayText.IsPrintable(bitmap.Name))
            {
                yield return new CompletionResult(CompletionText.Quote(bitmap.Name), bitmap.Name, CompletionResultType.ParameterValue, Describe(bitmap));
            }
        }
    }

    private static string Describe(Qcow2Bitmap bitmap)
        => $"{DisplayText.Size(bitmap.Granularity)} a bit, {(bitmap.IsInUse ? "not saved" : bitmap.IsEnabled ? "recording" : "disabled")}";
}
