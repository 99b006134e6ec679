namespace System.Runtime.CompilerServices;

/// <summary>
/// What the compiler calls for a range of an array. It looks for the rest of the class here, too, so that the framework's own has to be asked by
/// reflection.
/// </summary>
internal static class RuntimeHelpers
{
    private static readonly Action<Array, RuntimeFieldHandle> FrameworksOwn = (Action<Array, RuntimeFieldHandle>)typeof(object).Assembly
        .GetType(typeof(RuntimeHelpers).FullName!)!.GetMethod(nameof(InitializeArray))!.CreateDelegate(typeof(Action<Array, RuntimeFieldHandle>));

    /// <summary>Where the characters of a string begin; the compiler asks for it to pin one.</summary>
    public static int OffsetToStringData { get; } = (int)typeof(object).Assembly
        .GetType(typeof(RuntimeHelpers).FullName!)!.GetProperty(nameof(OffsetToStringData))!.GetValue(null);

    public static T[] GetSubArray<T>(T[] array, Range range)
    {
        (int offset, int length) = range.GetOffsetAndLength(array.Length);
        return array.AsSpan(offset, length).ToArray();
    }

    public static void InitializeArray(Array array, RuntimeFieldHandle field) => FrameworksOwn(array, field);
}
