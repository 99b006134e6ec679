using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that changes persistent bitmaps, which have to be named or to come down the pipeline.</summary>
public abstract class BitmapChangeCmdlet : BitmapSelectionCmdlet
{
    /// <summary>Emits the bitmaps as they are afterwards, or were where they are removed. By default nothing is emitted.</summary>
    [Parameter]
    public SwitchParameter PassThru { get; set; }

    /// <summary>What is done, as the question of -WhatIf and -Confirm begins: "Clear the bitmap".</summary>
    private protected abstract string Action { get; }

    /// <summary>Changes one of them.</summary>
    private protected abstract void Change(Qcow2Image image, string name);

    /// <summary>What is emitted of those that were changed.</summary>
    private protected virtual IEnumerable<Qcow2Bitmap> Result(string path, IReadOnlyList<Qcow2Bitmap> changed)
        => Qcow2ImageInfo.Read(path).Bitmaps.Where(bitmap => changed.Any(one => string.Equals(one.Name, bitmap.Name, StringComparison.Ordinal)));

    /// <inheritdoc/>
    private protected sealed override void EnsureSelected(string path, bool isSelected)
    {
        if (!isSelected)
        {
            throw new ImageCmdletException("BitmapNotSpecified", ErrorCategory.InvalidArgument,
                $"{path}: say which bitmaps are meant: -BitmapName, or bitmaps from Get-Qcow2Bitmap in place of the image. -BitmapName * means all.");
        }
    }

    /// <inheritdoc/>
    private protected sealed override void ProcessBitmaps(string path, IReadOnlyList<Qcow2Bitmap> bitmaps)
    {
        List<Qcow2Bitmap> chosen = [.. bitmaps.Where(bitmap => ShouldProcess(path, $"{Action} '{DisplayText.Printable(bitmap.Name)}'"))];
        if (chosen.Count == 0)
        {
            return;
        }

        ImageChange.Run(
            path,
            (image, token) =>
            {
                foreach (Qcow2Bitmap bitmap in chosen)
                {
                    token.ThrowIfCancellationRequested();
                    Change(image, bitmap.Name);
                }

                return true;
            },
            StopToken);
        if (PassThru)
        {
            WriteObject(Result(path, chosen), enumerateCollection: true);
        }
    }
}
