using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Management.Automation.Language;
using Qcow2.Engine;

namespace Qcow2.PowerShell.Completion;

/// <summary>Completes the key slots of an image that is encrypted with LUKS: for a new passphrase those that are free first, for others those in use alone.</summary>
public sealed class KeySlotCompleter : IArgumentCompleter
{
    /// <inheritdoc/>
    public IEnumerable<CompletionResult> CompleteArgument(
        string commandName, string parameterName, string wordToComplete, CommandAst commandAst, IDictionary fakeBoundParameters)
    {
        bool isForNew = string.Equals(commandName, "Add-Qcow2KeySlot", StringComparison.OrdinalIgnoreCase);
        foreach (IGrouping<int, Qcow2KeySlot> slot in BoundImages.Read(fakeBoundParameters)
            .Where(image => image.Luks is not null)
            .SelectMany(Qcow2KeySlot.Of)
            .Where(slot => isForNew || slot.IsActive)
            .GroupBy(slot => slot.KeySlot)
            .OrderBy(slots => isForNew && slots.Any(slot => slot.IsActive))
            .ThenBy(slots => slots.Key))
        {
            string number = slot.Key.ToString(CultureInfo.InvariantCulture);
            if (number.StartsWith(wordToComplete, StringComparison.Ordinal))
            {
                yield return new CompletionResult(number, number, CompletionResultType.ParameterValue, slot.Any(one => one.IsActive) ? "has a passphrase" : "free");
            }
        }
    }
}
