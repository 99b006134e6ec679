namespace Qcow2.Tests;

/// <summary>
/// A test of images that other programs made: skipped where they are not at hand. They are looked for in the folder that QCOW2_TEST_SAMPLES
/// names, then in <c>shared/samples</c> of any folder above.
/// </summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class SampleFactAttribute : FactAttribute
{
    public SampleFactAttribute()
        => Skip = Folder is null ? "The sample images of other programs are not here (QCOW2_TEST_SAMPLES)." : null;

    /// <summary>The folder; null where there is none.</summary>
    public static string? Folder { get; } = Find();

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("QCOW2_TEST_SAMPLES") is { Length: > 0 } named)
        {
            return Directory.Exists(named) ? named : null;
        }

        for (DirectoryInfo? above = new(AppContext.BaseDirectory); above is not null; above = above.Parent)
        {
            string folder = Path.Combine(above.FullName, "shared", "samples");
            if (File.Exists(Path.Combine(folder, "MANIFEST.md")))
            {
                return folder;
            }
        }

        return null;
    }
}
