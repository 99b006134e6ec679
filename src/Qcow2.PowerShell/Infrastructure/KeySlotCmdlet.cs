using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet about the key slots of images that are encrypted with LUKS.</summary>
public abstract class KeySlotCmdlet : ImageCmdlet
{
    /// <summary>The slots of an image as they are now.</summary>
    private protected static IReadOnlyList<Qcow2KeySlot> SlotsOf(string path) => Qcow2KeySlot.Of(Qcow2ImageInfo.Read(path));

    /// <summary>The slot that came down the pipeline, which must still be the same.</summary>
    /// <returns>Null if an image did.</returns>
    private protected static int? SlotOf(ImageInput image, IReadOnlyList<Qcow2KeySlot> now)
    {
        if (image.Object is not Qcow2KeySlot slot)
        {
            return null;
        }

        if (slot.KeySlot is < 0 or > 7)
        {
            throw new ImageCmdletException("ObjectIncomplete", ErrorCategory.InvalidData, $"{image.Path}: key slots have the numbers 0 to 7, not {slot.KeySlot}.");
        }

        return slot.Salt is null || slot.Salt == now[slot.KeySlot].Salt ? slot.KeySlot : throw new ImageCmdletException(
            "KeySlotChanged", ErrorCategory.ObjectNotFound,
            $"{image.Path}: key slot {slot.KeySlot} has another passphrase by now, or none. Get-Qcow2KeySlot shows the slots as they are.");
    }

    /// <summary>Does work that derives keys, which takes seconds, on a thread of its own so that it can be stopped.</summary>
    private protected T Derive<T>(string path, Func<CancellationToken, T> work)
    {
        T? result = default;
        LongOperation.Run(
            token =>
            {
                try
                {
                    result = work(token);
                }
                catch (ArgumentException e)
                {
                    throw new ImageCmdletException("PassphraseInvalid", ErrorCategory.InvalidArgument, $"{path}: {ErrorMessage.Text(e)}");
                }
            },
            () => { },
            StopToken);
        return result!;
    }
}
