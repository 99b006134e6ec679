using System.Management.Automation;
using Qcow2.Engine;
using Qcow2.PowerShell.Completion;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that does the same for any number of persistent bitmaps of each image.</summary>
public abstract class BitmapSelectionCmdlet : ImageCmdlet
{
    /// <summary>
    /// Names of the bitmaps. Wildcards are permitted; without them a name is taken as it stands, upper and lower case told apart, because
    /// names may differ by that alone. A name without wildcards that no bitmap has is an error.
    /// </summary>
    [Parameter(Position = 1)]
    [Alias("Name")]
    [ArgumentCompleter(typeof(BitmapNameCompleter))]
    [ValidateNotNullOrEmpty]
    [SupportsWildcards]
    public string[]? BitmapName { get; set; }

    /// <inheritdoc/>
    private protected sealed override void ProcessImage(ImageInput image)
    {
        // A bitmap that comes down the pipeline stands for itself, not for all of its image's.
        string[]? exact = BitmapName is null && image.Object is Qcow2Bitmap input ? [input.Name] : null;
        EnsureSelected(image.Path, BitmapName is not null || exact is not null);
        Qcow2Bitmap[] bitmaps = Qcow2ImageInfo.Read(image.Path).Bitmaps;
        exact ??= [.. (BitmapName ?? []).Where(name => !WildcardPattern.ContainsWildcardCharacters(name)).Select(WildcardPattern.Unescape)];
        foreach (string name in exact.Where(name => !bitmaps.Any(bitmap => string.Equals(bitmap.Name, name, StringComparison.Ordinal))))
        {
            string message = $"{image.Path}: there is no bitmap with the name '{DisplayText.Printable(name)}'.";
            WriteError(ErrorRecords.From(new Qcow2Exception(Qcow2ErrorCode.BitmapNotFound, message), image.Path));
        }

        WildcardPattern[] patterns =
            [.. (BitmapName ?? []).Where(WildcardPattern.ContainsWildcardCharacters).Select(name => WildcardPattern.Get(name, WildcardOptions.IgnoreCase))];
        bool takesAll = BitmapName is null && exact.Length == 0;
        ProcessBitmaps(image.Path, [.. bitmaps.Where(bitmap
            => takesAll || exact.Contains(bitmap.Name, StringComparer.Ordinal) || patterns.Any(pattern => pattern.IsMatch(bitmap.Name)))]);
    }

    /// <summary>Refuses, where the cmdlet must not take all bitmaps because none was named.</summary>
    private protected virtual void EnsureSelected(string path, bool isSelected)
    {
    }

    /// <summary>Does the cmdlet's work for the bitmaps of one image that were selected.</summary>
    private protected abstract void ProcessBitmaps(string path, IReadOnlyList<Qcow2Bitmap> bitmaps);
}
